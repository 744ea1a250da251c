// Packet access by LD_ABS and LD_IND, the way of socket filters, which see no packet pointers.
//
// The context is in r6. A load out of bounds ends the program with 0 by itself, which is just what
// a need means; so a need is only compared when some path from it could accept the packet without
// loading what was needed. LD_IND adds its index and its constant as 32-bit numbers, and takes a
// negative sum for metadata (net/core/filter.c, bpf_skb_load_helper_*): a load through an index
// that could get that large is preceded by the compare always.
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "translator/ir/bounds.h"
#include "translator/lower/extended/packet/packet_reader.h"

namespace weir::lower {
namespace {

using ebpf::AluOp;
using ebpf::JumpOp;
using ebpf::Width;
using machine::kNone;
using machine::Op;
using machine::Operand;
using machine::Vreg;

constexpr std::uint64_t kMaxEnd = 0x7fffffff;  // skb->len is less.

// By base: how many bytes behind it are known to be there.
using Covered = std::map<ir::ValueId, std::uint64_t>;

class AbsoluteReader final : public PacketReader {
 public:
  explicit AbsoluteReader(const ReaderContext& context)
      : function_(context.function),
        target_(context.target),
        builder_(context.builder),
        exits_(context.exits),
        needed_(context.needed),
        bounds_(ir::upper_bounds(context.function)),
        covered_at_(context.function.blocks.size()) {
    expect_loads();
  }

  void begin(Vreg context) override {
    auto& function = builder_.function();
    context_ = context;
    if (!function.context_in_r6) {
      context_ = builder_.move(Operand::of(context));
      function.vregs[context_].fixed = ebpf::Reg::kR6;
      function.context_in_r6 = true;
    }
    covered_at_[0] = Covered{};
  }

  Vreg context() const override { return context_; }

  void enter(ir::BlockId block) override {
    covered_ = std::move(*covered_at_[block]);
    covered_at_[block].reset();
    block_ = block;
  }

  void leave_to(ir::BlockId block) override {
    auto& there = covered_at_[block];
    if (!there) {
      there = covered_;
      return;
    }
    for (auto& [base, end] : *there) {
      const auto here = covered_.find(base);
      end = std::min(end, here == covered_.end() ? 0 : here->second);
    }
  }

  bool need(PacketBase base, std::uint64_t end) override {
    if (end > kMaxEnd) {
      return false;
    }
    return loads_will_check(base, end) || cover(base, end);
  }

  bool has(PacketBase base, std::uint64_t end,
           const std::function<machine::BlockId()>& leave) override {
    if (end > kMaxEnd) {
      return false;
    }
    if (covered_[base.id] < end) {
      compare(base, end, leave());
    }
    return true;
  }

  Vreg load(PacketBase base, std::uint64_t offset, std::uint8_t width,
            bool /*network_order*/) override {
    const std::uint64_t end = offset + width;
    if (end > kMaxEnd || (!checks_itself(base, end) && !cover(base, end))) {
      return kNone;
    }
    std::uint64_t& covered = covered_[base.id];
    covered = std::max(covered, end);
    return builder_.define({.op = Op::kLoadPacket,
                            .width = static_cast<Width>(width),
                            .a = base.vreg,
                            .b = Operand::of(context_),
                            .imm = static_cast<std::int32_t>(offset)});
  }

  bool reads_network_order() const override { return false; }

  Vreg length() override {
    return builder_.load(target_.length.width, context_, target_.length.offset);
  }

  void finish() override {}

 private:
  // Whether LD_ABS or LD_IND up to `end` fails exactly when the bytes are not there.
  bool checks_itself(PacketBase base, std::uint64_t end) const {
    return base.id == ir::kNoValue || bounds_[base.id] + end <= kMaxEnd;
  }

  // Whether every path from the current block that could accept loads up to `end`, or has.
  bool loads_will_check(PacketBase base, std::uint64_t end) const {
    if (base.id == ir::kNoValue) {
      return expected_[block_] >= end;
    }
    if (!checks_itself(base, end)) {
      return false;
    }
    const auto& body = function_.blocks[block_].body;
    return std::any_of(body.begin(), body.end(), [&](ir::ValueId v) {
      const ir::Value& value = function_.values[v];
      return value.op == ir::Op::kLoad && needed_[v] && value.a == base.id &&
             std::uint64_t{value.k} + value.width >= end;
    });
  }

  bool cover(PacketBase base, std::uint64_t end) {
    if (covered_[base.id] < end) {
      compare(base, end, exits_.reject());
    }
    return true;
  }

  // Compares with the packet's length; the sums are arranged so that none wraps.
  void compare(PacketBase base, std::uint64_t end, machine::BlockId otherwise) {
    covered_[base.id] = end;
    const Operand wanted = Operand::constant(static_cast<std::uint32_t>(end));
    Vreg room = length();
    if (end > 0) {
      builder_.exit_if(JumpOp::kLt, room, wanted, otherwise);
    }
    if (base.id != ir::kNoValue) {
      room = builder_.alu(AluOp::kSub, room, wanted);
      builder_.exit_if(JumpOp::kGt, base.vreg, Operand::of(room), otherwise);
    }
  }

  // By block: the bytes from the packet's start that every path from its beginning to a return of
  // anything but 0 has loaded in the end. All ways in which a block can fail give 0, so the order
  // inside a block says nothing.
  void expect_loads() {
    constexpr std::uint64_t kNeverAccepts = ~std::uint64_t{0};
    expected_.assign(function_.blocks.size(), kNeverAccepts);
    for (std::size_t b = function_.blocks.size(); b-- > 0;) {
      const ir::Block& block = function_.blocks[b];
      std::uint64_t expected = kNeverAccepts;
      if (block.terminator.end == ir::End::kReturn) {
        const ir::Value& result = function_.values[block.terminator.a];
        expected = result.op == ir::Op::kConstant && result.k == 0 ? kNeverAccepts : 0;
      } else if (block.terminator.end == ir::End::kRepeat) {
        expected = 0;
      }
      for (const ir::Edge& edge : block.terminator.edges) {
        expected = std::min(expected, expected_[edge.to]);
      }
      for (const ir::ValueId v : block.body) {
        const ir::Value& value = function_.values[v];
        if (value.op == ir::Op::kLoad && value.a == ir::kNoValue && needed_[v]) {
          expected = std::max(expected, std::uint64_t{value.k} + value.width);
        }
      }
      expected_[b] = expected;
    }
  }

  const ir::Function& function_;
  const Target& target_;
  machine::Builder& builder_;
  Exits& exits_;
  const std::vector<bool>& needed_;
  std::vector<std::uint32_t> bounds_;
  std::vector<std::uint64_t> expected_;
  std::vector<std::optional<Covered>> covered_at_;
  Covered covered_;  // At this moment.
  ir::BlockId block_ = 0;
  Vreg context_ = kNone;
};

}  // namespace

std::unique_ptr<PacketReader> make_ld_abs_reader(const ReaderContext& context) {
  return std::make_unique<AbsoluteReader>(context);
}

}  // namespace weir::lower
