// Meaning to wire: one overload a kind of instruction. Source of every number: RFC 9669.
#include "translator/ebpf/encode.h"

#include <limits>

#include "translator/ebpf/opcodes.h"

namespace weir::ebpf {
namespace {

std::uint8_t code(int bits) { return static_cast<std::uint8_t>(bits); }
std::uint8_t number(Reg reg) { return static_cast<std::uint8_t>(reg); }
std::uint8_t regs(Reg dst, Reg src) { return code(number(dst) | number(src) << 4); }
std::uint8_t regs(Reg dst) { return number(dst); }

// Puts the second operand where its kind wants it.
void set_operand(Slot& slot, const Operand& operand) {
  if (const Reg* reg = std::get_if<Reg>(&operand)) {
    slot.opcode |= wire::kX;
    slot.regs = code(slot.regs | number(*reg) << 4);
  } else {
    slot.imm = std::get<std::int32_t>(operand);
  }
}

// How many bits a sign-extending move keeps; 0 for any other operation.
std::int16_t moved_bits(AluOp op) {
  switch (op) {
    case AluOp::kMovSx8:
      return 8;
    case AluOp::kMovSx16:
      return 16;
    case AluOp::kMovSx32:
      return 32;
    case AluOp::kAdd:
    case AluOp::kSub:
    case AluOp::kMul:
    case AluOp::kDiv:
    case AluOp::kSDiv:
    case AluOp::kOr:
    case AluOp::kAnd:
    case AluOp::kLsh:
    case AluOp::kRsh:
    case AluOp::kNeg:
    case AluOp::kMod:
    case AluOp::kSMod:
    case AluOp::kXor:
    case AluOp::kMov:
    case AluOp::kArsh:
      return 0;
  }
  return 0;
}

Slot encode_one(const Alu& alu) {
  Slot slot{.opcode = code(wire::alu_code(alu.op) | (alu.is64 ? wire::kAlu64 : wire::kAlu)),
            .regs = regs(alu.dst)};
  if (alu.op == AluOp::kNeg) {
    return slot;
  }
  set_operand(slot, alu.src);
  if (alu.op == AluOp::kSDiv || alu.op == AluOp::kSMod) {
    slot.offset = 1;
  }
  const std::int16_t bits = moved_bits(alu.op);
  if (bits != 0) {
    // Sign-extending moves exist for registers, and 32 bits into 64; the others are plain moves.
    if (std::holds_alternative<std::int32_t>(alu.src)) {
      const int gone = 32 - bits;
      slot.imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(slot.imm) << gone) >> gone;
    } else if (bits < 32 || alu.is64) {
      slot.offset = bits;
    }
  }
  return slot;
}

Slot encode_one(const Endian& endian) {
  Slot slot{.opcode = wire::kOpEnd, .regs = regs(endian.dst), .imm = endian.bits};
  switch (endian.op) {
    case EndianOp::kToLittle:
      slot.opcode |= wire::kAlu;
      break;
    case EndianOp::kToBig:
      slot.opcode |= wire::kAlu | wire::kX;
      break;
    case EndianOp::kSwap:
      slot.opcode |= wire::kAlu64;
      break;
  }
  return slot;
}

Slot encode_one(const Load& load) {
  // There is nothing to extend in a load of 64 bits, and no opcode for it.
  const bool extend = load.sign_extend && load.width != Width::kDw;
  return {.opcode =
              code((extend ? wire::kMemSx : wire::kMem) | wire::size_bits(load.width) | wire::kLdx),
          .regs = regs(load.dst, load.src),
          .offset = load.offset};
}

Slot encode_one(const Store& store) {
  Slot slot{.opcode = code(wire::kMem | wire::size_bits(store.width)),
            .regs = regs(store.dst),
            .offset = store.offset};
  if (const Reg* src = std::get_if<Reg>(&store.src)) {
    slot.opcode |= wire::kStx;
    slot.regs = regs(store.dst, *src);
  } else {
    slot.opcode |= wire::kSt;
    slot.imm = std::get<std::int32_t>(store.src);
  }
  return slot;
}

Slot encode_one(const Atomic& atomic) {
  const bool fetch =
      atomic.fetch || atomic.op == AtomicOp::kExchange || atomic.op == AtomicOp::kCompareExchange;
  return {.opcode = code(wire::kAtomic | wire::size_bits(atomic.width) | wire::kStx),
          .regs = regs(atomic.dst, atomic.src),
          .offset = atomic.offset,
          .imm = wire::atomic_code(atomic.op) | (fetch ? wire::kFetch : 0)};
}

// The first of its two slots; the other carries the high half alone.
Slot encode_one(const LoadImm64& load) {
  return {.opcode = code(wire::kImm | wire::size_bits(Width::kDw) | wire::kLd),
          .regs = code(number(load.dst) | static_cast<int>(load.kind) << 4),
          .imm = static_cast<std::int32_t>(load.value)};
}

Slot encode_one(const LoadPacket& load) {
  return {.opcode = code((load.indirect ? wire::kInd : wire::kAbs) | wire::size_bits(load.width) |
                         wire::kLd),
          .regs = load.indirect ? regs(Reg::kR0, load.index) : std::uint8_t{0},
          .imm = load.imm};
}

Slot encode_one(const Jump& jump) {
  using Near = std::numeric_limits<std::int16_t>;
  if (jump.op == JumpOp::kJa) {
    const bool near = jump.is64 && jump.offset >= Near::min() && jump.offset <= Near::max();
    if (near) {
      return {.opcode = wire::kJmp, .offset = static_cast<std::int16_t>(jump.offset)};
    }
    return {.opcode = wire::kJmp32, .imm = jump.offset};
  }
  Slot slot{.opcode = code(wire::jump_code(jump.op) | (jump.is64 ? wire::kJmp : wire::kJmp32)),
            .regs = regs(jump.dst),
            .offset = static_cast<std::int16_t>(jump.offset)};
  set_operand(slot, jump.src);
  return slot;
}

Slot encode_one(const Call& call) {
  return {.opcode = code(wire::kOpCall | wire::kJmp),
          .regs = code(static_cast<int>(call.kind) << 4),
          .offset = call.offset,
          .imm = call.imm};
}

Slot encode_one(const Exit&) { return {.opcode = code(wire::kOpExit | wire::kJmp)}; }

}  // namespace

std::vector<Slot> encode(std::span<const Instruction> instructions) {
  std::vector<Slot> out;
  out.reserve(instructions.size() * 2);
  for (const Instruction& instruction : instructions) {
    out.push_back(std::visit([](const auto& one) { return encode_one(one); }, instruction));
    if (const auto* load = std::get_if<LoadImm64>(&instruction)) {
      out.push_back({.imm = static_cast<std::int32_t>(load->value >> 32)});
    }
  }
  return out;
}

}  // namespace weir::ebpf
