#include "translator/userspace/packet_program_build.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "translator/userspace/abstract_value.h"

namespace weir::ebpf {
namespace {

constexpr std::uint32_t kNone = 0xffffffff;
// A target from here on is a verdict: the one of this number less kVerdicts.
constexpr std::uint32_t kVerdicts = 0x80000000;
constexpr std::int64_t kMaxBytes = std::numeric_limits<std::int32_t>::max() - 1;

class Stepper {
 public:
  Stepper(const Program& program, const AccessProof& proof)
      : all_(program.instructions), proof_(proof) {}

  PacketSteps run() {
    make();
    append_verdicts();
    find_targets();
    return std::move(steps_);
  }

 private:
  void make() {
    const auto n = static_cast<std::uint32_t>(all_.size());
    op_of_.assign(n + 1, kNone);
    targeted_.assign(n, 0);
    ops().reserve(n + 4);
    verdicts_.reserve(4);
    bool alive = true;
    for (std::uint32_t i = 0; i < n; ++i) {
      alive = (alive || targeted_[i] != 0) && proof_.facts[i].reached;
      op_of_[i] = static_cast<std::uint32_t>(ops().size());
      if (!alive) {
        continue;
      }
      alive = make_one(i);
    }
    op_of_[n] = static_cast<std::uint32_t>(ops().size());
  }

  // Whether the way goes on to the next instruction.
  bool make_one(std::uint32_t i) {
    index_ = i;
    if (const auto verdict = verdict_at(i, facts().r0)) {
      add({.kind = PacketOpKind::kVerdict, .value = *verdict});
      return false;
    }
    return std::visit([this](const auto& instruction) { return step(instruction); }, all_[i]);
  }

  // The verdict of a way that comes to instruction `at` with this in r0, when nothing else happens
  // on it.
  std::optional<std::uint32_t> verdict_at(std::uint32_t at, Known r0) const {
    for (;;) {
      const Instruction& instruction = all_[at];
      if (std::holds_alternative<Exit>(instruction)) {
        return r0.is_constant() ? std::optional(static_cast<std::uint32_t>(r0.value))
                                : std::nullopt;
      }
      if (const auto* alu = std::get_if<Alu>(&instruction);
          alu != nullptr && alu->op == AluOp::kMov && alu->dst == Reg::kR0 &&
          std::holds_alternative<std::int32_t>(alu->src)) {
        r0 = {.kind = Known::Kind::kConstant, .value = std::get<std::int32_t>(alu->src)};
        ++at;
      } else if (const auto* jump = std::get_if<Jump>(&instruction);
                 jump != nullptr && jump->op == JumpOp::kJa) {
        at = proof_.targets[at];
      } else {
        return std::nullopt;
      }
    }
  }

  std::vector<PacketOp>& ops() { return steps_.ops; }
  const InstructionFacts& facts() const { return proof_.facts[index_]; }

  bool add(PacketOp op) {
    op.index = index_;
    ops().push_back(op);
    return true;
  }

  bool step(const Alu& alu) {
    if (facts().result.is_packet() && in_reach(facts().result.value)) {
      return add({.kind = PacketOpKind::kPoint,
                  .from_start = true,
                  .offset = static_cast<std::int32_t>(facts().result.value),
                  .dst = alu.dst});
    }
    if (facts().result.kind == Known::Kind::kEnd) {
      return add({.kind = PacketOpKind::kEnd, .dst = alu.dst});
    }
    if (alu.op == AluOp::kAdd && alu.is64 && add_to_pointer(alu)) {
      return true;
    }
    return add({});
  }

  static bool in_reach(std::int64_t offset) { return offset >= -kMaxBytes && offset <= kMaxBytes; }

  // The sum of a pointer and a register, or what is added to such a sum right behind it.
  bool add_to_pointer(const Alu& alu) {
    if (const auto* imm = std::get_if<std::int32_t>(&alu.src)) {
      if (targeted_[index_] != 0 || ops().empty()) {
        return false;
      }
      PacketOp& last = ops().back();
      if (last.kind != PacketOpKind::kPoint || last.dst != alu.dst ||
          !in_reach(std::int64_t{last.offset} + *imm)) {
        return false;
      }
      last.offset += *imm;
      return true;
    }
    const Reg src = std::get<Reg>(alu.src);
    const bool onto_pointer = facts().dst.is_packet();
    const Known& pointer = onto_pointer ? facts().dst : facts().src;
    if (!pointer.is_packet() || !in_reach(pointer.value)) {
      return false;
    }
    const PacketOp sum{.kind = PacketOpKind::kPoint,
                       .from_start = true,
                       .base = onto_pointer ? src : alu.dst,
                       .offset = static_cast<std::int32_t>(pointer.value),
                       .dst = alu.dst,
                       .index = index_};
    // A copy of the pointer that was made for this alone.
    if (onto_pointer && src != alu.dst && targeted_[index_] == 0 && !ops().empty() &&
        ops().back().kind == PacketOpKind::kPoint && ops().back().dst == alu.dst) {
      ops().back() = sum;
      return true;
    }
    return add(sum);
  }

  // Bytes that were just loaded, turned around.
  bool step(const Endian& endian) {
    constexpr auto kTurns =
        std::endian::native == std::endian::little ? EndianOp::kToBig : EndianOp::kToLittle;
    if ((endian.op == EndianOp::kSwap || endian.op == kTurns) && endian.bits != 64 &&
        targeted_[index_] == 0 && !ops().empty()) {
      PacketOp& last = ops().back();
      if (last.kind == PacketOpKind::kLoad && last.dst == endian.dst && !last.sign_extend &&
          !last.swapped && 8 * static_cast<unsigned>(last.width) == endian.bits) {
        last.swapped = true;
        return true;
      }
    }
    return add({});
  }

  bool step(const Load& load) {
    if (proof_.accesses[index_] == Proof::kContext) {
      if (facts().result.is_packet()) {
        return add({.kind = PacketOpKind::kPoint, .from_start = true, .dst = load.dst});
      }
      if (facts().result.kind == Known::Kind::kEnd) {
        return add({.kind = PacketOpKind::kEnd, .dst = load.dst});
      }
      return add({.kind = PacketOpKind::kField, .offset = load.offset, .dst = load.dst});
    }
    PacketOp op{.kind = PacketOpKind::kLoad,
                .base = load.src,
                .offset = load.offset,
                .width = load.width,
                .sign_extend = load.sign_extend && load.width != Width::kDw,
                .dst = load.dst};
    if (facts().src.is_packet() && in_reach(facts().src.value + load.offset)) {
      op.from_start = true;
      op.base.reset();
      op.offset = static_cast<std::int32_t>(facts().src.value + load.offset);
    }
    return add(op);
  }

  bool step(const Store&) { return add({}); }
  bool step(const Atomic&) { return add({}); }
  bool step(const LoadImm64&) { return add({}); }
  bool step(const LoadPacket&) { return add({}); }
  bool step(const Call&) { return add({}); }
  bool step(const Exit&) {
    add({.kind = PacketOpKind::kReturn});
    return false;
  }

  bool step(const Jump& jump) {
    if (jump.op == JumpOp::kJa) {
      jump_to({.kind = PacketOpKind::kGo});
      return false;
    }
    return jump_to(condition(jump));
  }

  PacketOp condition(const Jump& jump) const {
    const PacketOp compare{.kind = PacketOpKind::kCompare};
    const auto* src = std::get_if<Reg>(&jump.src);
    const bool end_right = facts().src.kind == Known::Kind::kEnd;
    const bool end_left = facts().dst.kind == Known::Kind::kEnd;
    if (!jump.is64 || src == nullptr || end_left == end_right) {
      return compare;
    }
    const JumpOp op = end_right ? jump.op : abstract::mirrored(jump.op);
    const Known& pointer = end_right ? facts().dst : facts().src;
    const bool orders =
        op == JumpOp::kGt || op == JumpOp::kGe || op == JumpOp::kLt || op == JumpOp::kLe;
    if (!orders && op != JumpOp::kEq && op != JumpOp::kNe) {
      return compare;
    }
    if (!orders || !pointer.is_packet() || pointer.value < 0 || pointer.value > kMaxBytes) {
      return {.kind = PacketOpKind::kPast, .base = end_right ? jump.dst : *src, .op = op};
    }
    // start + n > start + captured, and so on.
    const bool fewer = op == JumpOp::kGt || op == JumpOp::kGe;
    const bool one_more = op == JumpOp::kGe || op == JumpOp::kLt;
    return {.kind = fewer ? PacketOpKind::kFewer : PacketOpKind::kEnough,
            .value = static_cast<std::uint32_t>(pointer.value) + (one_more ? 1 : 0)};
  }

  bool jump_to(PacketOp op) {
    const std::uint32_t target = proof_.targets[index_];
    if (const auto verdict = verdict_at(target, facts().r0)) {
      const auto found = std::find(verdicts_.begin(), verdicts_.end(), *verdict);
      op.target = kVerdicts + static_cast<std::uint32_t>(found - verdicts_.begin());
      if (found == verdicts_.end()) {
        verdicts_.push_back(*verdict);
      }
    } else {
      op.target = target;
      targeted_[target] = 1;
    }
    return add(op);
  }

  void append_verdicts() {
    steps_.first_verdict = static_cast<std::uint32_t>(ops().size());
    for (const std::uint32_t verdict : verdicts_) {
      ops().push_back({.kind = PacketOpKind::kVerdict,
                       .value = verdict,
                       .index = static_cast<std::uint32_t>(all_.size() - 1)});
    }
  }

  // Targets as operations in place of instructions.
  void find_targets() {
    for (PacketOp& op : ops()) {
      if (jumps(op)) {
        op.target = op.target >= kVerdicts ? steps_.first_verdict + (op.target - kVerdicts)
                                           : op_of_[op.target];
        ops()[op.target].is_target = true;
      }
    }
  }

  const std::vector<Instruction>& all_;
  const AccessProof& proof_;
  PacketSteps steps_;
  std::vector<std::uint32_t> op_of_;    // The operation each instruction begins with.
  std::vector<std::uint8_t> targeted_;  // 1 where some operation jumps to an instruction.
  std::vector<std::uint32_t> verdicts_;
  std::uint32_t index_ = 0;  // The instruction in hand.
};

}  // namespace

PacketSteps packet_steps(const Program& program, const AccessProof& proof) {
  return Stepper(program, proof).run();
}

bool jumps(const PacketOp& op) {
  switch (op.kind) {
    case PacketOpKind::kTest:
    case PacketOpKind::kCompare:
    case PacketOpKind::kFewer:
    case PacketOpKind::kEnough:
    case PacketOpKind::kPast:
    case PacketOpKind::kGo:
      return true;
    case PacketOpKind::kPlain:
    case PacketOpKind::kPoint:
    case PacketOpKind::kHeader:
    case PacketOpKind::kEnd:
    case PacketOpKind::kField:
    case PacketOpKind::kLoad:
    case PacketOpKind::kVerdict:
    case PacketOpKind::kReturn:
      return false;
  }
  return false;
}

}  // namespace weir::ebpf
