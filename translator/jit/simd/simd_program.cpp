#include "translator/jit/simd/simd_program.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "translator/ebpf/user_context.h"
#include "translator/jit/simd/simd_bindings.h"
#include "translator/jit/simd/simd_values.h"

namespace weir::jit {
namespace {

using ebpf::JumpOp;
using ebpf::PacketOp;
using ebpf::PacketOpKind;
using ebpf::Reg;

// All is done for every packet, so a long program costs more than jumping through it would.
constexpr std::size_t kMostValues = 160;
constexpr std::size_t kMostGathers = 6;
// What is read of packets that need not have it.
constexpr std::int32_t kMostReach = 192;

class Builder {
 public:
  Builder(const ebpf::PacketProgram& form, std::span<const ebpf::Instruction> instructions)
      : ops_(form.ops), instructions_(instructions), arrivals_(form.ops.size()) {
    for (unsigned reg = 0; reg < 10; ++reg) {
      if ((form.zeroed >> reg & 1U) != 0) {
        regs_[static_cast<Reg>(reg)] = number(v_.zero());
      }
    }
  }

  std::optional<SimdProgram> build() {
    mask_ = v_.all();
    for (index_ = 0; index_ < ops_.size(); ++index_) {
      arrive();
      if (mask_ != v_.zero() && (!add(ops_[index_]) || v_.values().size() > 4 * kMostValues)) {
        return std::nullopt;
      }
    }
    SimdId verdict = v_.zero();
    for (const auto& [value, mask] : ends_) {
      verdict = v_.binary(SimdOp::kOr, verdict, v_.binary(SimdOp::kAnd, mask, value));
    }
    return finish(verdict);
  }

 private:
  // A way from somewhere before to an operation.
  struct Arrival {
    SimdId mask = 0;
    Bindings bound;
  };

  // ---- Ways ----

  // Joins the ways that lead to the operation in hand with that from the one before.
  void arrive() {
    for (const Arrival& arrival : arrivals_[index_]) {
      if (mask_ == v_.zero()) {
        mask_ = arrival.mask;
        regs_.set_all(arrival.bound);
        continue;
      }
      regs_.join(arrival.mask, arrival.bound);
      mask_ = v_.binary(SimdOp::kOr, mask_, arrival.mask);
    }
    arrivals_[index_].clear();
  }

  void go(std::uint32_t target, SimdId mask) {
    if (mask != v_.zero()) {
      arrivals_[target].push_back({.mask = mask, .bound = regs_.all()});
    }
  }

  void branch(std::uint32_t target, SimdCondition condition) {
    go(target, v_.where(mask_, condition));
    mask_ = v_.where_not(mask_, condition);
  }

  void end(SimdId verdict) {
    if (verdict != v_.zero()) {
      const auto [at, is_new] = ends_.try_emplace(verdict, mask_);
      if (!is_new) {
        at->second = v_.binary(SimdOp::kOr, at->second, mask_);
      }
    }
    mask_ = v_.zero();
  }

  // Bytes at an address, for the packets of a mask.
  std::optional<SimdId> field(const PacketOp& op, const Binding& at, SimdId mask) {
    const auto width = static_cast<std::uint8_t>(op.width);
    if (!regs_.usable(at) || width > 4) {
      return std::nullopt;
    }
    if (at.value == v_.zero()) {
      return at.offset + width <= kMostReach
                 ? std::optional(v_.field(static_cast<std::uint32_t>(at.offset), width))
                 : std::nullopt;
    }
    // Four bytes are read whose last is the field's last; they are not before the packet.
    if (at.least + width < 4 || ++gathers_ > kMostGathers) {
      return std::nullopt;
    }
    return v_.gather(at.value, static_cast<std::int32_t>(at.offset), width, mask);
  }

  // ---- Operations; false: it does not fit ----

  bool add(const PacketOp& op) {
    switch (op.kind) {
      case PacketOpKind::kPlain:
        return regs_.run(instructions_[op.index]);
      case PacketOpKind::kPoint:
        regs_[op.dst] = regs_.address(op);
        return true;
      case PacketOpKind::kHeader:
        return add_header(op);
      case PacketOpKind::kEnd:
        regs_[op.dst] = pointer(v_.leaf(SimdOp::kCaptured), 0, 0, kMostOffset);
        return true;
      case PacketOpKind::kField:
        regs_[op.dst] =
            number(op.offset == offsetof(ebpf::UserContext, length)
                       ? v_.leaf(SimdOp::kLength)
                       : v_.leaf(SimdOp::kShared, static_cast<std::uint32_t>(op.offset)));
        return true;
      case PacketOpKind::kLoad:
        return add_load(op);
      case PacketOpKind::kTest:
        return add_test(op);
      case PacketOpKind::kCompare:
        return add_compare(op);
      case PacketOpKind::kFewer:
      case PacketOpKind::kEnough:
        return add_length_check(op);
      case PacketOpKind::kPast:
        return add_pointer_check(op);
      case PacketOpKind::kGo:
        go(op.target, mask_);
        mask_ = v_.zero();
        return true;
      case PacketOpKind::kVerdict:
        end(v_.constant(op.value));
        return true;
      case PacketOpKind::kReturn:
        if (!regs_.is_number(Reg::kR0)) {
          return false;
        }
        end(regs_[Reg::kR0].value);
        return true;
    }
    return false;
  }

  bool add_header(const PacketOp& op) {
    const auto width = static_cast<std::uint8_t>(op.width);
    if (op.value + width > kMostReach || width > 4) {
      return false;
    }
    const SimdId bits =
        v_.binary(SimdOp::kAnd, v_.pick(v_.field(op.value, width), false), v_.constant(op.mask));
    const Binding start = pointer(v_.zero(), op.offset, op.offset, op.offset);
    regs_[op.dst] = regs_.moved_by_number(start, v_.shift(SimdOp::kShl, bits, op.shift));
    return true;
  }

  bool add_load(const PacketOp& op) {
    const std::optional<SimdId> bytes = field(op, regs_.address(op), mask_);
    if (!bytes || op.sign_extend) {
      return false;
    }
    regs_[op.dst] = number(v_.pick(*bytes, op.swapped));
    return true;
  }

  static bool is_signed(JumpOp op) {
    return op == JumpOp::kSGt || op == JumpOp::kSGe || op == JumpOp::kSLt || op == JumpOp::kSLe;
  }

  bool add_test(const PacketOp& op) {
    const Binding at = regs_.address(op);
    const SimdValue from = v_.values()[at.value];
    if (is_signed(op.op)) {
      return false;
    }
    if (from.op != SimdOp::kChoose || !v_.ends_early(from.a)) {
      const std::optional<SimdId> bytes = field(op, at, mask_);
      if (bytes) {
        branch(op.target, v_.test(op.op, *bytes, op.mask, op.value));
      }
      return bytes.has_value();
    }
    // Where packets that end early are read elsewhere, the others share what was read before.
    Binding yes = at;
    Binding no = at;
    yes.value = from.b;
    no.value = from.c;
    const auto some = field(op, yes, v_.binary(SimdOp::kAnd, from.a, mask_));
    const auto others = field(op, no, v_.binary(SimdOp::kAndNot, from.a, mask_));
    if (!some || !others) {
      return false;
    }
    const SimdCondition of_some = v_.test(op.op, *some, op.mask, op.value);
    const SimdCondition of_others = v_.test(op.op, *others, op.mask, op.value);
    if (of_some.negated != of_others.negated) {
      return false;
    }
    branch(op.target, {v_.choose(from.a, of_some.mask, of_others.mask), of_some.negated});
    return true;
  }

  bool add_compare(const PacketOp& op) {
    const auto& jump = std::get<ebpf::Jump>(instructions_[op.index]);
    const std::optional<SimdId> src = regs_.operand(jump.src, jump.is64);
    // Of numbers whose upper half is 0 a compare of 64 bits with sign is one without.
    if (!regs_.is_number(jump.dst) || !src || (jump.is64 && is_signed(jump.op))) {
      return false;
    }
    branch(op.target, v_.compare(jump.op, regs_[jump.dst].value, *src));
    return true;
  }

  bool add_length_check(const PacketOp& op) {
    if (op.value > kMostOffset) {
      return false;
    }
    const JumpOp order = op.kind == PacketOpKind::kFewer ? JumpOp::kLt : JumpOp::kGe;
    branch(op.target, v_.compare(order, v_.leaf(SimdOp::kCaptured), v_.constant(op.value)));
    return true;
  }

  bool add_pointer_check(const PacketOp& op) {
    const Binding at = op.base ? regs_[*op.base] : Binding{};
    if (!regs_.usable(at)) {
      return false;
    }
    branch(op.target, v_.compare(op.op, regs_.whole(at), v_.leaf(SimdOp::kCaptured)));
    return true;
  }

  // ---- The end ----

  std::optional<SimdProgram> finish(SimdId verdict) {
    SimdProgram form;
    form.verdict = verdict;
    form.values = v_.take();
    form.needed.assign(form.values.size(), false);
    form.needed[verdict] = true;
    std::size_t count = 0;
    for (std::size_t id = form.values.size(); id-- > 0;) {
      if (!form.needed[id]) {
        continue;
      }
      ++count;
      const SimdValue& value = form.values[id];
      const std::array operands = {value.a, value.b, value.c};
      for (int i = 0; i < operand_count(value.op); ++i) {
        form.needed[operands[static_cast<std::size_t>(i)]] = true;
      }
    }
    if (count > kMostValues) {
      return std::nullopt;
    }
    place_windows(form);
    return form;
  }

  const std::vector<PacketOp>& ops_;
  std::span<const ebpf::Instruction> instructions_;
  SimdValues v_;
  std::vector<std::vector<Arrival>> arrivals_;  // By operation.
  SimdId mask_ = 0;                             // The packets on the way to the one in hand,
  SimdBindings regs_{v_};                       // and their registers.
  std::map<SimdId, SimdId> ends_;               // Verdicts, and the packets that have them.
  std::size_t index_ = 0;
  std::size_t gathers_ = 0;
};

}  // namespace

int operand_count(SimdOp op) {
  switch (op) {
    case SimdOp::kConst:
    case SimdOp::kCaptured:
    case SimdOp::kLength:
    case SimdOp::kShared:
    case SimdOp::kField:
      return 0;
    case SimdOp::kPart:
    case SimdOp::kPick:
    case SimdOp::kIs:
    case SimdOp::kShl:
    case SimdOp::kShr:
    case SimdOp::kSar:
    case SimdOp::kSwap:
      return 1;
    case SimdOp::kGather:
    case SimdOp::kAnd:
    case SimdOp::kAndNot:
    case SimdOp::kOr:
    case SimdOp::kXor:
    case SimdOp::kAdd:
    case SimdOp::kSub:
    case SimdOp::kMul:
    case SimdOp::kMin:
    case SimdOp::kMax:
    case SimdOp::kEqual:
    case SimdOp::kGreater:
      return 2;
    case SimdOp::kChoose:
      return 3;
  }
  return 0;
}

std::optional<SimdProgram> simd_program(const ebpf::PacketProgram& form,
                                        std::span<const ebpf::Instruction> instructions) {
  return Builder(form, instructions).build();
}

}  // namespace weir::jit
