#include "translator/vm/superinstructions.h"

#include <cstddef>

namespace weir::vm {
namespace {

using ebpf::JumpOp;
using ebpf::PacketOp;
using ebpf::PacketOpKind;

// How a test looks at the bytes: its jump is taken where they differ from a number, or where they
// do not. That a bit is set is that the bits differ from 0. Not an order.
enum class Asks : std::uint8_t { kDiffer, kEqual, kOther };

Asks asks(const PacketOp& op) {
  if (op.kind != PacketOpKind::kTest || (op.from_start && op.base)) {
    return Asks::kOther;
  }
  switch (op.op) {
    case JumpOp::kEq:
      return Asks::kEqual;
    case JumpOp::kNe:
    case JumpOp::kSet:
      return Asks::kDiffer;
    case JumpOp::kJa:
    case JumpOp::kGt:
    case JumpOp::kGe:
    case JumpOp::kLt:
    case JumpOp::kLe:
    case JumpOp::kSGt:
    case JumpOp::kSGe:
    case JumpOp::kSLt:
    case JumpOp::kSLe:
      return Asks::kOther;
  }
  return Asks::kOther;
}

class Fuser {
 public:
  Fuser(std::span<const PacketOp> ops, std::span<const ebpf::Instruction> instructions,
        std::span<const void* const> labels, std::span<Op> made)
      : ops_(ops), instructions_(instructions), labels_(labels), made_(made) {}

  // From the end, so that what follows a test is known to be a kFinal or not.
  void run() {
    for (std::size_t i = ops_.size() - 1; i-- > 0;) {
      if (asks(ops_[i]) != Asks::kOther) {
        (void)(make_final(i) || make_final_pair(i) || make_pair(i));
      } else if (ops_[i].kind == PacketOpKind::kCompare) {
        make_final_compare(i);
      } else {
        make_header_past(i);
        make_load_compare(i);
      }
    }
  }

 private:
  bool is_verdict(std::size_t i) const { return ops_[i].kind == PacketOpKind::kVerdict; }

  void become(std::size_t i, std::size_t handler) { made_[i].handler = labels_[handler]; }

  // What a test needs in any of these forms. set_test() put no number beside the bits of kSet.
  void look(std::size_t i) {
    const PacketOp& op = ops_[i];
    made_[i].src =
        op.from_start ? static_cast<std::uint8_t>(kStart) : static_cast<std::uint8_t>(*op.base);
    if (op.op == JumpOp::kSet) {
      made_[i].jump.imm = 0;
    }
  }

  bool make_final(std::size_t i) {
    const PacketOp& op = ops_[i];
    if (!is_verdict(op.target) || !is_verdict(i + 1)) {
      return false;
    }
    look(i);
    const bool differ = asks(op) == Asks::kDiffer;
    made_[i].verdict = ops_[differ ? op.target : i + 1].value;
    made_[i].final = {.imm = made_[i].jump.imm, .other = ops_[differ ? i + 1 : op.target].value};
    become(i, handler::kFinal + handler::width_index(op.width));
    return true;
  }

  bool make_final_pair(std::size_t i) {
    const PacketOp& op = ops_[i];
    const PacketOp& next = ops_[i + 1];
    if (!is_verdict(op.target) ||
        made_[i + 1].handler != labels_[handler::kFinal + handler::width_index(next.width)]) {
      return false;
    }
    look(i);
    made_[i].verdict = ops_[op.target].value;
    made_[i].final = {.imm = made_[i].jump.imm, .other = asks(op) == Asks::kDiffer ? 1U : 0U};
    become(i, handler::by_widths(handler::kFinalPair, op.width, next.width));
    return true;
  }

  // The second may be the first of others: it is only looked at.
  bool make_pair(std::size_t i) {
    const PacketOp& op = ops_[i];
    const PacketOp& next = ops_[i + 1];
    if (asks(next) != asks(op) || next.target != op.target) {
      return false;
    }
    look(i);
    look(i + 1);
    become(i, handler::by_widths(
                  asks(op) == Asks::kDiffer ? handler::kEitherDiffers : handler::kEitherEqual,
                  op.width, next.width));
    return true;
  }

  // Every order is one of < or its opposite, whose verdicts are the other way round; so is ==. No
  // number is past the greatest.
  void make_final_compare(std::size_t i) {
    const auto& jump = std::get<ebpf::Jump>(instructions_[ops_[i].index]);
    const auto* imm = std::get_if<std::int32_t>(&jump.src);
    if (!is_verdict(ops_[i].target) || !is_verdict(i + 1) || jump.is64 || imm == nullptr) {
      return;
    }
    bool below = true;     // Else the compare is !=.
    bool opposite = true;  // The jump is taken where it does not hold.
    std::uint32_t one_more = 0;
    switch (jump.op) {
      case JumpOp::kEq:
        below = false;
        break;
      case JumpOp::kNe:
        below = false;
        opposite = false;
        break;
      case JumpOp::kLt:
        opposite = false;
        break;
      case JumpOp::kGe:
        break;
      case JumpOp::kLe:
        opposite = false;
        one_more = 1;
        break;
      case JumpOp::kGt:
        one_more = 1;
        break;
      case JumpOp::kJa:
      case JumpOp::kSet:
      case JumpOp::kSGt:
      case JumpOp::kSGe:
      case JumpOp::kSLt:
      case JumpOp::kSLe:
        return;
    }
    if (one_more != 0 && *imm == -1) {
      return;
    }
    const std::uint32_t taken = ops_[ops_[i].target].value;
    const std::uint32_t not_taken = ops_[i + 1].value;
    made_[i].verdict = opposite ? not_taken : taken;
    made_[i].final = {.imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(*imm) + one_more),
                      .other = opposite ? taken : not_taken};
    become(i, handler::kFinalCompare + (below ? 1 : 0));
  }

  void make_header_past(std::size_t i) {
    const PacketOp& next = ops_[i + 1];
    if (ops_[i].kind == PacketOpKind::kHeader && ops_[i].width == ebpf::Width::kB &&
        next.kind == PacketOpKind::kPast && next.base == ops_[i].dst &&
        (next.op == JumpOp::kGt || next.op == JumpOp::kLe)) {
      become(i, handler::kHeaderPast + (next.op == JumpOp::kGt ? 0 : 1));
    }
  }

  void make_load_compare(std::size_t i) {
    const PacketOp& load = ops_[i];
    const PacketOp& next = ops_[i + 1];
    if (load.kind != PacketOpKind::kLoad || load.base || load.width == ebpf::Width::kDw ||
        load.sign_extend || load.swapped || next.kind != PacketOpKind::kCompare) {
      return;
    }
    const auto& jump = std::get<ebpf::Jump>(instructions_[next.index]);
    if (jump.dst != load.dst || !std::holds_alternative<std::int32_t>(jump.src) || jump.is64 ||
        (jump.op != JumpOp::kEq && jump.op != JumpOp::kNe) ||
        made_[i + 1].handler != labels_[handler::jump(jump.op, false, false)]) {
      return;
    }
    become(i, handler::kLoadCompare + handler::width_index(load.width) * 2 +
                  (jump.op == JumpOp::kEq ? 0 : 1));
  }

  std::span<const PacketOp> ops_;
  std::span<const ebpf::Instruction> instructions_;
  std::span<const void* const> labels_;
  std::span<Op> made_;
};

}  // namespace

void make_superinstructions(std::span<const PacketOp> ops,
                            std::span<const ebpf::Instruction> instructions,
                            std::span<const void* const> labels, std::span<Op> made) {
  Fuser(ops, instructions, labels, made).run();
}

}  // namespace weir::vm
