#include "tools/bench/measure/verify_results.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "tools/bench/measure/bounded_child.h"

namespace weir::bench {
namespace {

// Memory that a child shares with its parent: 0, or one more than it answered, and the answers.
class Shared {
 public:
  explicit Shared(std::size_t packets)
      : size_((packets + 1) * sizeof(std::uint32_t)),
        words_(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() {
    if (valid()) {
      munmap(words_, size_);
    }
  }
  bool valid() const { return words_ != MAP_FAILED; }
  volatile std::uint32_t& progress() { return *static_cast<std::uint32_t*>(words_); }
  std::span<std::uint32_t> answers() {
    return {static_cast<std::uint32_t*>(words_) + 1, size_ / sizeof(std::uint32_t) - 1};
  }

 private:
  std::size_t size_;
  void* words_;
};

void note(Wrong& wrong, std::size_t at, std::uint32_t got, std::uint32_t right,
          const cbpf::Packet& packet) {
  if (wrong.packets++ == 0) {
    wrong.packet = at + 1;
    wrong.got = got;
    wrong.right = right;
    wrong.bytes.assign(packet.captured.begin(), packet.captured.end());
  }
}

}  // namespace

std::string to_string(const Wrong& wrong) {
  std::string said = fmt::format("wrong for {} of {} packets: packet {}", wrong.packets,
                                 wrong.shown, wrong.packet);
  if (wrong.crashed) {
    return said + " ends the process";
  }
  said += fmt::format(" gives {} where {} is right", wrong.got, wrong.right);
  return wrong.inherited ? said + ", as in the program it was given" : said;
}

std::optional<Wrong> find_wrong(std::span<const std::uint32_t> right,
                                std::span<const std::uint32_t> given, bool accept_lengths,
                                std::span<const cbpf::Packet> packets) {
  Wrong wrong{.shown = given.size()};
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::uint32_t expected = accept_lengths ? right[i] : (right[i] != 0 ? 1 : 0);
    if (given[i] != expected) {
      note(wrong, i, given[i], expected, packets[i]);
    }
  }
  return wrong.packets == 0 ? std::nullopt : std::optional(std::move(wrong));
}

Result<std::optional<Wrong>> try_machine(engine::Prepared& machine,
                                         std::span<const std::uint32_t> right,
                                         std::span<const cbpf::Packet> packets,
                                         std::uint32_t seconds) {
  Shared shared(packets.size());
  if (!shared.valid()) {
    return fail(ErrorCode::kSystem, fmt::format("mapping memory: {}", std::strerror(errno)));
  }
  const auto ended = run_bounded(seconds, [&] {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    shared.progress() = 1;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      if (!machine.run(packets.subspan(i, 1), shared.answers().subspan(i, 1))) {
        break;
      }
      shared.progress() = static_cast<std::uint32_t>(i + 2);
    }
    return std::vector<std::uint8_t>{1};
  });
  const bool started = shared.progress() != 0;
  const std::size_t answered = started ? shared.progress() - 1 : 0;
  std::optional<Wrong> wrong = find_wrong(right.first(answered), shared.answers().first(answered),
                                          true, packets.first(answered));
  if (ended) {
    return wrong;
  }
  if (ended.error().code != ErrorCode::kSystem || !started || answered == packets.size()) {
    return tl::make_unexpected(ended.error());
  }
  Wrong crash = wrong.value_or(Wrong{});
  crash.shown = answered + 1;
  crash.packets += 1;
  crash.packet = answered + 1;
  crash.got = 0;
  crash.right = right[answered];
  crash.crashed = true;
  crash.bytes.assign(packets[answered].captured.begin(), packets[answered].captured.end());
  return crash;
}

}  // namespace weir::bench
