// What operations of a packet form do with registers.
#include "translator/userspace/packet_program.h"
#include "translator/userspace/register_bits.h"

namespace weir::ebpf {
namespace {

constexpr std::uint16_t kArguments =
    bit(Reg::kR1) | bit(Reg::kR2) | bit(Reg::kR3) | bit(Reg::kR4) | bit(Reg::kR5);

using Effect = PacketEffect;

Effect effect(const Alu& alu) {
  const bool moves = alu.op == AluOp::kMov || alu.op == AluOp::kMovSx8 ||
                     alu.op == AluOp::kMovSx16 || alu.op == AluOp::kMovSx32;
  const std::uint16_t src = alu.op == AluOp::kNeg ? std::uint16_t{0} : bit(alu.src);
  return {.reads = static_cast<std::uint16_t>(src | (moves ? 0 : bit(alu.dst))),
          .writes = bit(alu.dst),
          .pure = true};
}
Effect effect(const Endian& endian) {
  return {.reads = bit(endian.dst), .writes = bit(endian.dst), .pure = true};
}
Effect effect(const Store& store) {
  return {.reads = static_cast<std::uint16_t>(bit(store.dst) | bit(store.src))};
}
Effect effect(const Atomic& atomic) {
  const std::uint16_t writes = atomic.op == AtomicOp::kCompareExchange ? bit(Reg::kR0)
                               : atomic.fetch || atomic.op == AtomicOp::kExchange
                                   ? bit(atomic.src)
                                   : std::uint16_t{0};
  return {.reads = static_cast<std::uint16_t>(bit(atomic.dst) | bit(atomic.src) | bit(Reg::kR0)),
          .writes = writes};
}
Effect effect(const LoadImm64& load) { return {.writes = bit(load.dst), .pure = true}; }
Effect effect(const Call&) { return {.reads = kArguments, .writes = bit(Reg::kR0)}; }
Effect effect(const Jump& jump) {
  return {.reads = static_cast<std::uint16_t>(bit(jump.dst) | bit(jump.src))};
}
// These are never plain.
Effect effect(const Load&) { return {}; }
Effect effect(const LoadPacket&) { return {}; }
Effect effect(const Exit&) { return {}; }

}  // namespace

PacketEffect effect_of(const PacketOp& op, std::span<const Instruction> instructions) {
  switch (op.kind) {
    case PacketOpKind::kPlain:
    case PacketOpKind::kCompare:
      return std::visit([](const auto& one) { return effect(one); }, instructions[op.index]);
    case PacketOpKind::kPoint:
    case PacketOpKind::kHeader:
    case PacketOpKind::kEnd:
    case PacketOpKind::kField:
    case PacketOpKind::kLoad:
      return {.reads = bit(op.base), .writes = bit(op.dst), .pure = true};
    case PacketOpKind::kTest:
    case PacketOpKind::kPast:
      return {.reads = bit(op.base)};
    case PacketOpKind::kReturn:
      return {.reads = bit(Reg::kR0)};
    case PacketOpKind::kFewer:
    case PacketOpKind::kEnough:
    case PacketOpKind::kGo:
    case PacketOpKind::kVerdict:
      return {};
  }
  return {};
}

}  // namespace weir::ebpf
