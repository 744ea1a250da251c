#include "translator/vm/single_test_loop.h"

#include <array>
#include <cstddef>

#include "translator/vm/test_bytes.h"

namespace weir::vm {
namespace {

// What one operation says of a packet that is long enough. It is copied, so that its fields are
// known not to change while verdicts are written.
template <typename T>
struct Single {
  explicit Single(const Op* first) : op(first[0]) {}
  std::uint32_t operator()(std::uint64_t start) const {
    return final_verdict(op, differs<T>(op, start));
  }
  Op op;
};

template <typename T, typename U>
struct Pair {
  explicit Pair(const Op* first) : op(first[0]), next(first + 1) {}
  std::uint32_t operator()(std::uint64_t start) const {
    return pair_verdict(op, differs<T>(op, start), next(start));
  }
  Op op;
  Single<U> next;
};

// Either of two addresses of Ethernet: the first is not that where one of two tests says so, and
// then the pair behind them decides.
struct EitherAddress {
  explicit EitherAddress(const Op* first)
      : op(first[0]),
        next(first[1]),
        other(first + 2),
        accepted(static_cast<std::uint32_t>(first[1 + next.jump.target].value)) {}
  std::uint32_t operator()(std::uint64_t start) const {
    return chosen(differs<std::uint32_t>(op, start) | differs<std::uint16_t>(next, start),
                  other(start), accepted);
  }
  Op op;
  Op next;
  Pair<std::uint32_t, std::uint16_t> other;
  std::uint32_t accepted;
};

template <typename Look>
void run(const Code& code, const Job& job) {
  const Look look(&code.packet_ops[code.begin]);
  const auto too_short = static_cast<std::uint32_t>(code.packet_ops[code.begin_short].value);
  const std::uint32_t least = code.least_captured;
  const std::size_t count = job.packets.size();
  const std::size_t near_end =
      code.prefetched && count > kPrefetchAhead ? count - kPrefetchAhead : 0;
  const UserPacket* const packets = job.packets.data();
  std::uint32_t* const verdicts = job.verdicts;
  const auto verdict = [&](const UserPacket& packet) {
    return packet.captured < least ? too_short : look(reinterpret_cast<std::uint64_t>(packet.data));
  };
  for (std::size_t i = 0; i < near_end; ++i) {
    prefetch(code, packets[i + kPrefetchAhead]);
    verdicts[i] = verdict(packets[i]);
  }
  for (std::size_t i = near_end; i < count; ++i) {
    verdicts[i] = verdict(packets[i]);
  }
}

using B = std::uint8_t;
using H = std::uint16_t;
using W = std::uint32_t;
constexpr std::array<BatchLoop, 3> kSingles = {run<Single<B>>, run<Single<H>>, run<Single<W>>};
constexpr std::array<BatchLoop, 9> kPairs = {run<Pair<B, B>>, run<Pair<B, H>>, run<Pair<B, W>>,
                                             run<Pair<H, B>>, run<Pair<H, H>>, run<Pair<H, W>>,
                                             run<Pair<W, B>>, run<Pair<W, H>>, run<Pair<W, W>>};

// A test is never the last operation, so that there is one behind it.
bool is_either_address(const Op* first, std::span<const void* const> labels) {
  using ebpf::Width;
  using handler::Condition;
  return first[0].handler == labels[handler::test(Width::kW, Condition::kNotEqual, true)] &&
         first[0].jump.target == 2 &&
         first[1].handler == labels[handler::test(Width::kH, Condition::kEqual, true)] &&
         first[1 + first[1].jump.target].handler == labels[handler::kVerdict] &&
         first[2].handler ==
             labels[handler::by_widths(handler::kFinalPair, Width::kW, Width::kH)] &&
         first[2].src == kStart && first[3].src == kStart;
}

}  // namespace

BatchLoop single_test_loop(const Code& code, std::span<const void* const> labels) {
  const Op* const first = &code.packet_ops[code.begin];
  const Op& otherwise = code.packet_ops[code.begin_short];
  if (code.begin == 0 || otherwise.handler != labels[handler::kVerdict]) {
    return nullptr;
  }
  if (is_either_address(first, labels)) {
    return run<EitherAddress>;
  }
  if (first->src != kStart) {
    return nullptr;
  }
  for (std::size_t i = 0; i < kSingles.size(); ++i) {
    if (first->handler == labels[handler::kFinal + i]) {
      return kSingles[i];
    }
  }
  for (std::size_t i = 0; i < kPairs.size(); ++i) {
    if (first->handler == labels[handler::kFinalPair + i] && first[1].src == kStart) {
      return kPairs[i];
    }
  }
  return nullptr;
}

}  // namespace weir::vm
