#include "translator/jit/if_conversion.h"

#include <algorithm>
#include <array>

namespace weir::jit {
namespace {

using ebpf::PacketOp;
using ebpf::PacketOpKind;
using ebpf::Reg;

// A longer stretch costs more than the jumps it saves.
constexpr std::size_t kMostSteps = 20;
constexpr std::size_t kMostQuestions = 6;

// A register that points into the packet at or behind start + fixed.
struct Pointer {
  bool known = false;
  std::int64_t fixed = 0;
  // Known to be at most this far behind the captured bytes; large: nothing is known.
  std::int64_t past_end = kFar;
  static constexpr std::int64_t kFar = std::int64_t{1} << 40;
};

class Finder {
 public:
  Finder(const ebpf::PacketProgram& form, std::span<const ebpf::Instruction> instructions)
      : ops_(form.ops), instructions_(instructions) {}

  std::optional<StraightLine> find(std::uint32_t from) {
    std::uint32_t at = from;
    while (ops_[at].kind != PacketOpKind::kVerdict) {
      if (line_.steps.size() == kMostSteps || !add(at)) {
        return std::nullopt;
      }
    }
    line_.otherwise = at;
    line_.end = std::max(line_.end, at);
    return split() ? std::optional(std::move(line_)) : std::nullopt;
  }

 private:
  // Takes the operation in and goes on to the next; false when it does not fit.
  bool add(std::uint32_t& at) {
    const PacketOp& op = ops_[at];
    const std::uint32_t here = at++;
    line_.end = std::max(line_.end, at);
    switch (op.kind) {
      case PacketOpKind::kGo:
        at = op.target;
        return true;
      case PacketOpKind::kFewer:
        return ask_for_length(op.value);
      case PacketOpKind::kEnough:
        at = op.target;
        return ask_for_length(op.value);
      case PacketOpKind::kPast:
        return check_pointer(op, here, at);
      case PacketOpKind::kTest:
      case PacketOpKind::kCompare:
        if (ops_[op.target].kind != PacketOpKind::kVerdict || !is_readable(op)) {
          return false;
        }
        if (++questions_ > kMostQuestions) {  // Too many cost more than they save.
          return false;
        }
        break;
      case PacketOpKind::kPoint:
      case PacketOpKind::kHeader:
        break;
      case PacketOpKind::kLoad:
        if (!is_readable(op)) {
          return false;
        }
        break;
      case PacketOpKind::kPlain:
        if (!is_light(op)) {
          return false;
        }
        break;
      case PacketOpKind::kEnd:
      case PacketOpKind::kField:
      case PacketOpKind::kVerdict:
      case PacketOpKind::kReturn:
        return false;
    }
    step(here);
    return touch(op);
  }

  void step(std::uint32_t op) {
    if (line_.steps.empty()) {
      line_.steps.reserve(kMostSteps);
    }
    line_.steps.push_back(op);
  }

  // Lengths are asked for in front of everything, where no register has changed.
  bool ask_for_length(std::uint32_t bytes) {
    line_.least_captured = std::max(line_.least_captured, bytes);
    line_.has_checks = true;
    return true;
  }

  bool check_pointer(const PacketOp& op, std::uint32_t here, std::uint32_t& at) {
    const bool fails_when_taken = op.op == ebpf::JumpOp::kGt;
    if ((!fails_when_taken && op.op != ebpf::JumpOp::kLe) || changed_what_was_read_) {
      return false;
    }
    if (!fails_when_taken) {
      at = op.target;
    }
    line_.has_checks = true;
    step(here);
    pointer(*op.base).past_end = 0;
    return touch(op);
  }

  // Bytes that are there on the line whatever its questions find.
  bool is_readable(const PacketOp& op) const {
    if (op.kind == PacketOpKind::kCompare || op.from_start) {
      return true;  // What a constant offset relies on is a check of length alone.
    }
    const Pointer& base = pointers_[static_cast<std::size_t>(*op.base)];
    return base.known && base.fixed + op.offset >= 0 &&
           op.offset + static_cast<std::int64_t>(op.width) + base.past_end <= 0;
  }

  // A cheap instruction without a scratch register.
  bool is_light(const PacketOp& op) const {
    const auto* alu = std::get_if<ebpf::Alu>(&instructions_[op.index]);
    if (alu == nullptr) {
      return std::holds_alternative<ebpf::Endian>(instructions_[op.index]);
    }
    switch (alu->op) {
      case ebpf::AluOp::kAdd:
      case ebpf::AluOp::kSub:
      case ebpf::AluOp::kOr:
      case ebpf::AluOp::kAnd:
      case ebpf::AluOp::kXor:
      case ebpf::AluOp::kMov:
      case ebpf::AluOp::kNeg:
        return true;
      case ebpf::AluOp::kLsh:
      case ebpf::AluOp::kRsh:
      case ebpf::AluOp::kArsh:
        return std::holds_alternative<std::int32_t>(alu->src);
      case ebpf::AluOp::kMul:
      case ebpf::AluOp::kDiv:
      case ebpf::AluOp::kSDiv:
      case ebpf::AluOp::kMod:
      case ebpf::AluOp::kSMod:
      case ebpf::AluOp::kMovSx8:
      case ebpf::AluOp::kMovSx16:
      case ebpf::AluOp::kMovSx32:
        return false;
    }
    return false;
  }

  // Follows what the operation does to registers.
  bool touch(const PacketOp& op) {
    const ebpf::PacketEffect effect = ebpf::effect_of(op, instructions_);
    read_ |= static_cast<std::uint16_t>(effect.reads & ~written_);
    written_ |= effect.writes;
    // Run in order after that, the line would begin with other values.
    changed_what_was_read_ |= (written_ & read_) != 0;
    if (effect.writes == 0) {
      return true;
    }
    Pointer& to = pointer(op.kind == PacketOpKind::kPlain ? destination(op) : op.dst);
    const Pointer before = to;
    to = {};
    if (op.kind == PacketOpKind::kHeader ||
        (op.kind == PacketOpKind::kPoint && op.from_start && !op.base)) {
      to = {.known = true, .fixed = op.offset};
    } else if (const std::optional<std::int32_t> step = added(op); step && before.known) {
      to = before;
      to.fixed += *step;
      to.past_end += *step;
    }
    return true;
  }

  Reg destination(const PacketOp& op) const {
    if (const auto* alu = std::get_if<ebpf::Alu>(&instructions_[op.index])) {
      return alu->dst;
    }
    return std::get<ebpf::Endian>(instructions_[op.index]).dst;
  }
  // What a plain addition of 64 bits adds to its register.
  std::optional<std::int32_t> added(const PacketOp& op) const {
    const auto* alu = op.kind == PacketOpKind::kPlain
                          ? std::get_if<ebpf::Alu>(&instructions_[op.index])
                          : nullptr;
    if (alu == nullptr || alu->op != ebpf::AluOp::kAdd || !alu->is64 ||
        !std::holds_alternative<std::int32_t>(alu->src)) {
      return std::nullopt;
    }
    return std::get<std::int32_t>(alu->src);
  }

  // The questions at the end may have any verdicts; those before must have one.
  bool split() {
    while (!line_.steps.empty() && is_question(ops_[line_.steps.back()])) {
      line_.choice.insert(line_.choice.begin(), line_.steps.back());
      line_.steps.pop_back();
    }
    std::optional<std::uint32_t> failure;
    for (const std::uint32_t step : line_.steps) {
      if (!is_question(ops_[step])) {
        continue;
      }
      if (failure && *failure != ops_[step].target) {
        return false;
      }
      failure = ops_[step].target;
    }
    line_.failure = failure.value_or(0);
    // With none before the choice there is nothing to gain.
    return failure.has_value();
  }

  Pointer& pointer(Reg reg) { return pointers_[static_cast<std::size_t>(reg)]; }

  const std::vector<PacketOp>& ops_;
  std::span<const ebpf::Instruction> instructions_;
  StraightLine line_;
  std::array<Pointer, 11> pointers_{};
  std::size_t questions_ = 0;
  std::uint16_t read_ = 0;  // Registers that were read before the line wrote them.
  std::uint16_t written_ = 0;
  bool changed_what_was_read_ = false;
};

}  // namespace

bool is_question(const PacketOp& op) {
  return op.kind == PacketOpKind::kTest || op.kind == PacketOpKind::kCompare;
}

std::optional<StraightLine> straight_line(const ebpf::PacketProgram& form,
                                          std::span<const ebpf::Instruction> instructions,
                                          std::uint32_t from) {
  return Finder(form, instructions).find(from);
}

}  // namespace weir::jit
