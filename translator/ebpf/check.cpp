// One pass over the instructions for what each of them may be, one walk for what is reached.
#include "translator/ebpf/check.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace weir::ebpf {
namespace {

constexpr std::size_t kNone = SIZE_MAX;

class Checker {
 public:
  explicit Checker(const Program& program) : program_(program) {}

  Status run() {
    if (program_.instructions.empty()) {
      return fail(ErrorCode::kInvalidProgram, "the program is empty");
    }
    if (!program_.origins.empty() && program_.origins.size() != program_.instructions.size()) {
      return fail(ErrorCode::kInvalidProgram, "not every instruction has an origin");
    }
    if (Status maps = check_maps(); !maps) {
      return maps;
    }
    number_slots();
    for (index_ = 0; index_ < program_.instructions.size(); ++index_) {
      const auto one = [this](const auto& instruction) { return check_one(instruction); };
      if (Status status = std::visit(one, program_.instructions[index_]); !status) {
        return status;
      }
    }
    return check_reached();
  }

 private:
  tl::unexpected<Error> refuse(std::string message) const {
    return fail(ErrorCode::kInvalidProgram, std::move(message),
                {.instruction = static_cast<std::uint32_t>(index_)});
  }

  Status check_maps() const {
    for (const Map& map : program_.maps) {
      if (map.kind == MapKind::kReadOnlyData && map.data.size() != map.value_size) {
        return fail(ErrorCode::kInvalidProgram,
                    fmt::format("map {} has {} bytes of data for a value of {}", map.name,
                                map.data.size(), map.value_size));
      }
    }
    return {};
  }

  void number_slots() {
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
      slot_of_.push_back(at_slot_.size());
      at_slot_.push_back(i);
      if (slots(program_.instructions[i]) == 2) {
        at_slot_.push_back(kNone);
      }
    }
  }

  // The instruction `distance` slots behind the one in hand; kNone when there is none.
  std::size_t target(std::int64_t distance) const {
    const std::int64_t next = static_cast<std::int64_t>(slot_of_[index_]) +
                              slots(program_.instructions[index_]) + distance;
    if (next < 0 || next >= static_cast<std::int64_t>(at_slot_.size())) {
      return kNone;
    }
    return at_slot_[static_cast<std::size_t>(next)];
  }

  // Where a load of an address of code (BPF_PSEUDO_FUNC) points: its distance counts from the slot
  // after its first one.
  std::size_t code_address(const LoadImm64& load) const {
    return target(std::int64_t{static_cast<std::int32_t>(load.value)} - 1);
  }

  Status check_written(Reg reg) const {
    if (reg == Reg::kR10) {
      return refuse("r10 is read-only");
    }
    return {};
  }

  Status check_one(const Alu& alu) const {
    const auto* imm = std::get_if<std::int32_t>(&alu.src);
    const bool shift = alu.op == AluOp::kLsh || alu.op == AluOp::kRsh || alu.op == AluOp::kArsh;
    if (shift && imm != nullptr && (*imm < 0 || *imm >= (alu.is64 ? 64 : 32))) {
      return refuse(fmt::format("shift of {} bits by {}", alu.is64 ? 64 : 32, *imm));
    }
    const bool divides = alu.op == AluOp::kDiv || alu.op == AluOp::kSDiv || alu.op == AluOp::kMod ||
                         alu.op == AluOp::kSMod;
    if (divides && imm != nullptr && *imm == 0) {
      return refuse("division by a constant 0");
    }
    return check_written(alu.dst);
  }

  Status check_one(const Endian& endian) const {
    if (endian.bits != 16 && endian.bits != 32 && endian.bits != 64) {
      return refuse(fmt::format("a byte swap is of 16, 32 or 64 bits, not {}", endian.bits));
    }
    return check_written(endian.dst);
  }

  Status check_one(const Load& load) const { return check_written(load.dst); }
  Status check_one(const Store&) const { return {}; }

  Status check_one(const Atomic& atomic) const {
    if (atomic.width != Width::kW && atomic.width != Width::kDw) {
      return refuse("an atomic operation is of 4 or 8 bytes");
    }
    const bool writes_src = atomic.op != AtomicOp::kCompareExchange && atomic.fetch;
    return writes_src ? check_written(atomic.src) : Status{};
  }

  Status check_one(const LoadImm64& load) const {
    const auto imm = static_cast<std::uint32_t>(load.value);
    const auto next = static_cast<std::uint32_t>(load.value >> 32);
    const bool by_index =
        load.kind == Imm64Kind::kMapIndex || load.kind == Imm64Kind::kMapValueIndex;
    if (by_index && imm >= program_.maps.size()) {
      return refuse(fmt::format("no map has index {}", imm));
    }
    if (load.kind == Imm64Kind::kMapValueIndex && next >= program_.maps[imm].value_size) {
      return refuse(
          fmt::format("byte {} is outside the value of map {}", next, program_.maps[imm].name));
    }
    if (load.kind == Imm64Kind::kCode && code_address(load) == kNone) {
      return refuse("the address of code is no instruction");
    }
    return check_written(load.dst);
  }

  Status check_one(const LoadPacket& load) const {
    if (load.width == Width::kDw) {
      return refuse("a legacy packet load is of 1, 2 or 4 bytes");
    }
    return {};
  }

  Status check_one(const Jump& jump) const {
    if (target(jump.offset) == kNone) {
      return refuse("the jump leads to no instruction");
    }
    // `ja` has a form with 32 bits.
    const bool reaches = jump.offset >= INT16_MIN && jump.offset <= INT16_MAX;
    if (jump.op != JumpOp::kJa && !reaches) {
      return refuse("the jump goes farther than its 16 bits reach: the program is too long");
    }
    return {};
  }

  Status check_one(const Call& call) const {
    if (call.kind == CallKind::kLocal && target(call.imm) == kNone) {
      return refuse("the call leads to no instruction");
    }
    return {};
  }

  Status check_one(const Exit&) const { return {}; }

  // Walks every way through the program from its start and from each function it names.
  Status check_reached() {
    std::vector<bool> reached(program_.instructions.size(), false);
    std::vector<std::size_t> open = {0};
    reached[0] = true;
    while (!open.empty()) {
      index_ = open.back();
      open.pop_back();
      const Ways ways = ways_from(program_.instructions[index_]);
      if (ways.next && index_ + 1 == program_.instructions.size()) {
        return refuse("the program runs off its end");
      }
      for (const std::size_t to : {ways.next ? index_ + 1 : kNone, ways.other}) {
        if (to != kNone && !reached[to]) {
          reached[to] = true;
          open.push_back(to);
        }
      }
    }
    for (index_ = 0; index_ < reached.size(); ++index_) {
      if (!reached[index_]) {
        return refuse("the instruction is never reached");
      }
    }
    return {};
  }

  // Where it goes on from an instruction: the next one, and another.
  struct Ways {
    bool next = true;
    std::size_t other = kNone;
  };
  Ways ways_from(const Instruction& instruction) const {
    if (const auto* jump = std::get_if<Jump>(&instruction)) {
      return {.next = jump->op != JumpOp::kJa, .other = target(jump->offset)};
    }
    if (const auto* call = std::get_if<Call>(&instruction);
        call != nullptr && call->kind == CallKind::kLocal) {
      return {.other = target(call->imm)};
    }
    if (const auto* load = std::get_if<LoadImm64>(&instruction);
        load != nullptr && load->kind == Imm64Kind::kCode) {
      return {.other = code_address(*load)};
    }
    return {.next = !std::holds_alternative<Exit>(instruction)};
  }

  const Program& program_;
  std::vector<std::size_t> slot_of_;  // Of each instruction.
  std::vector<std::size_t> at_slot_;  // The instruction that begins there, or kNone.
  std::size_t index_ = 0;             // The instruction in hand.
};

}  // namespace

Status check(const Program& program) { return Checker(program).run(); }

}  // namespace weir::ebpf
