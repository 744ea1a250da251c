// Wire to meaning. What RFC 9669 does not define, or leaves reserved, is refused: a program that
// decodes encodes to the same slots again.
#include <fmt/format.h>

#include "translator/ebpf/encode.h"
#include "translator/ebpf/opcodes.h"

namespace weir::ebpf {
namespace {

constexpr std::uint8_t kLastReg = 10;

// One slot taken apart, with the refusals that name it.
class Reader {
 public:
  Reader(const Slot& slot, std::size_t index) : slot_(slot), index_(index) {}

  std::uint8_t opcode() const { return slot_.opcode; }
  std::uint8_t dst_field() const { return slot_.regs & 15; }
  std::uint8_t src_field() const { return slot_.regs >> 4; }
  Reg dst() const { return static_cast<Reg>(dst_field()); }
  Reg src() const { return static_cast<Reg>(src_field()); }
  std::int16_t offset() const { return slot_.offset; }
  std::int32_t imm() const { return slot_.imm; }
  bool has_register_operand() const { return (slot_.opcode & wire::kX) != 0; }
  Operand operand() const { return has_register_operand() ? Operand(src()) : Operand(imm()); }

  tl::unexpected<Error> refuse(std::string message) const {
    return fail(ErrorCode::kInvalidProgram, std::move(message),
                {.instruction = static_cast<std::uint32_t>(index_)});
  }
  tl::unexpected<Error> unknown() const {
    return refuse(fmt::format("unknown opcode {:#04x}", slot_.opcode));
  }

  // Refuses a field that holds something and has no meaning here, and registers beyond r10.
  struct Used {
    bool dst = false;
    bool src = false;
    bool offset = false;
    bool imm = false;
  };
  Status fields(const Used& used) const {
    if (!used.dst && dst_field() != 0) return reserved("destination register");
    if (!used.src && src_field() != 0) return reserved("source register");
    if (!used.offset && slot_.offset != 0) return reserved("offset");
    if (!used.imm && slot_.imm != 0) return reserved("immediate");
    if (dst_field() > kLastReg) return refuse(fmt::format("no register r{}", dst_field()));
    if (src_field() > kLastReg) return refuse(fmt::format("no register r{}", src_field()));
    return {};
  }
  // The same for an operation whose second operand is a register or the immediate.
  Status fields_with_operand(bool offset) const {
    const bool reg = has_register_operand();
    return fields({.dst = true, .src = reg, .offset = offset, .imm = !reg});
  }

 private:
  tl::unexpected<Error> reserved(std::string_view field) const {
    return refuse(fmt::format("the {} of opcode {:#04x} must be 0", field, slot_.opcode));
  }

  const Slot& slot_;
  std::size_t index_;
};

using Decoded = Result<Instruction>;

// `status` when it is a failure, else `instruction`.
Decoded checked(Status status, Instruction instruction) {
  if (!status) {
    return tl::make_unexpected(std::move(status.error()));
  }
  return instruction;
}

Decoded decode_endian(const Reader& in, bool is64) {
  if (is64 && in.has_register_operand()) {
    return in.unknown();
  }
  if (in.imm() != 16 && in.imm() != 32 && in.imm() != 64) {
    return in.refuse(fmt::format("a byte swap is of 16, 32 or 64 bits, not {}", in.imm()));
  }
  const EndianOp op = is64                        ? EndianOp::kSwap
                      : in.has_register_operand() ? EndianOp::kToBig
                                                  : EndianOp::kToLittle;
  return checked(in.fields({.dst = true, .imm = true}),
                 Endian{.op = op, .bits = static_cast<std::uint8_t>(in.imm()), .dst = in.dst()});
}

// The operation of code and offset, which tells signed from unsigned and the width of a move.
Result<AluOp> alu_op(const Reader& in, bool is64) {
  const std::uint8_t code = in.opcode() & 0xf0;
  if (in.offset() != 0) {
    if (code == wire::kOpDiv && in.offset() == 1) return AluOp::kSDiv;
    if (code == wire::kOpMod && in.offset() == 1) return AluOp::kSMod;
    if (code == wire::kOpMov && in.has_register_operand()) {
      if (in.offset() == 8) return AluOp::kMovSx8;
      if (in.offset() == 16) return AluOp::kMovSx16;
      if (in.offset() == 32 && is64) return AluOp::kMovSx32;
    }
    return in.refuse(fmt::format("opcode {:#04x} has no offset {}", in.opcode(), in.offset()));
  }
  constexpr std::array kPlain = {AluOp::kAdd, AluOp::kSub, AluOp::kMul, AluOp::kDiv, AluOp::kOr,
                                 AluOp::kAnd, AluOp::kLsh, AluOp::kRsh, AluOp::kNeg, AluOp::kMod,
                                 AluOp::kXor, AluOp::kMov, AluOp::kArsh};
  for (const AluOp op : kPlain) {
    if (wire::alu_code(op) == code) {
      return op;
    }
  }
  return in.unknown();
}

Decoded decode_alu(const Reader& in, bool is64) {
  if ((in.opcode() & 0xf0) == wire::kOpEnd) {
    return decode_endian(in, is64);
  }
  const Result<AluOp> op = alu_op(in, is64);
  if (!op) {
    return tl::make_unexpected(op.error());
  }
  if (*op == AluOp::kNeg) {
    if (in.has_register_operand()) {
      return in.unknown();
    }
    return checked(in.fields({.dst = true}), Alu{.op = *op, .is64 = is64, .dst = in.dst()});
  }
  return checked(in.fields_with_operand(true),
                 Alu{.op = *op, .is64 = is64, .dst = in.dst(), .src = in.operand()});
}

Decoded decode_call(const Reader& in) {
  if (in.src_field() > static_cast<std::uint8_t>(CallKind::kKfunc)) {
    return in.refuse(fmt::format("no kind of call has number {}", in.src_field()));
  }
  const auto kind = static_cast<CallKind>(in.src_field());
  return checked(in.fields({.src = true, .offset = kind == CallKind::kKfunc, .imm = true}),
                 Call{.kind = kind, .imm = in.imm(), .offset = in.offset()});
}

Decoded decode_jump(const Reader& in, bool is64) {
  const std::uint8_t code = in.opcode() & 0xf0;
  if (code == wire::kOpJa || code == wire::kOpCall || code == wire::kOpExit) {
    if (in.has_register_operand() || (code != wire::kOpJa && !is64)) {
      return in.unknown();
    }
    if (code == wire::kOpCall) {
      return decode_call(in);
    }
    if (code == wire::kOpExit) {
      return checked(in.fields({}), Exit{});
    }
    return checked(in.fields({.offset = is64, .imm = !is64}),
                   Jump{.op = JumpOp::kJa, .is64 = is64, .offset = is64 ? in.offset() : in.imm()});
  }
  constexpr std::array kConditions = {JumpOp::kEq, JumpOp::kGt,  JumpOp::kGe,  JumpOp::kSet,
                                      JumpOp::kNe, JumpOp::kSGt, JumpOp::kSGe, JumpOp::kLt,
                                      JumpOp::kLe, JumpOp::kSLt, JumpOp::kSLe};
  for (const JumpOp op : kConditions) {
    if (wire::jump_code(op) == code) {
      return checked(
          in.fields_with_operand(true),
          Jump{
              .op = op, .is64 = is64, .dst = in.dst(), .src = in.operand(), .offset = in.offset()});
    }
  }
  return in.unknown();
}

Decoded decode_load(const Reader& in) {
  const Width width = wire::width_of(in.opcode());
  const std::uint8_t mode = in.opcode() & 0xe0;
  const bool extend = mode == wire::kMemSx;
  if ((mode != wire::kMem && !extend) || (extend && width == Width::kDw)) {
    return in.unknown();
  }
  return checked(in.fields({.dst = true, .src = true, .offset = true}),
                 Load{.width = width,
                      .sign_extend = extend,
                      .dst = in.dst(),
                      .src = in.src(),
                      .offset = in.offset()});
}

Decoded decode_atomic(const Reader& in) {
  const Width width = wire::width_of(in.opcode());
  if (width != Width::kW && width != Width::kDw) {
    return in.unknown();
  }
  constexpr std::array kOps = {AtomicOp::kAdd, AtomicOp::kOr,       AtomicOp::kAnd,
                               AtomicOp::kXor, AtomicOp::kExchange, AtomicOp::kCompareExchange};
  for (const AtomicOp op : kOps) {
    const bool exchange = op == AtomicOp::kExchange || op == AtomicOp::kCompareExchange;
    const bool fetch = (in.imm() & wire::kFetch) != 0;
    if ((in.imm() & ~wire::kFetch) == wire::atomic_code(op) && (fetch || !exchange)) {
      return checked(in.fields({.dst = true, .src = true, .offset = true, .imm = true}),
                     Atomic{.op = op,
                            .fetch = fetch,
                            .width = width,
                            .dst = in.dst(),
                            .offset = in.offset(),
                            .src = in.src()});
    }
  }
  return in.refuse(fmt::format("unknown atomic operation {:#x}", in.imm()));
}

Decoded decode_store(const Reader& in, bool from_register) {
  const std::uint8_t mode = in.opcode() & 0xe0;
  if (from_register && mode == wire::kAtomic) {
    return decode_atomic(in);
  }
  if (mode != wire::kMem) {
    return in.unknown();
  }
  return checked(
      in.fields({.dst = true, .src = from_register, .offset = true, .imm = !from_register}),
      Store{.width = wire::width_of(in.opcode()),
            .dst = in.dst(),
            .offset = in.offset(),
            .src = from_register ? Operand(in.src()) : Operand(in.imm())});
}

Decoded decode_packet(const Reader& in, bool indirect) {
  const Width width = wire::width_of(in.opcode());
  if (width == Width::kDw) {
    return in.unknown();
  }
  return checked(in.fields({.src = indirect, .imm = true}),
                 LoadPacket{.width = width,
                            .indirect = indirect,
                            .index = indirect ? in.src() : Reg::kR0,
                            .imm = in.imm()});
}

// Whether the second immediate of a 64-bit load means something. Linux keeps the BTF descriptor of
// a module's variable there (kernel/bpf/verifier.c, check_pseudo_btf_id).
bool uses_next_imm(Imm64Kind kind) {
  switch (kind) {
    case Imm64Kind::kValue:
    case Imm64Kind::kMapValueFd:
    case Imm64Kind::kMapValueIndex:
    case Imm64Kind::kVariable:
      return true;
    case Imm64Kind::kMapFd:
    case Imm64Kind::kCode:
    case Imm64Kind::kMapIndex:
      return false;
  }
  return false;
}

Decoded decode_imm64(const Reader& in, const Slot* next) {
  if (wire::width_of(in.opcode()) != Width::kDw) {
    return in.unknown();
  }
  if (in.src_field() > static_cast<std::uint8_t>(Imm64Kind::kMapValueIndex)) {
    return in.refuse(fmt::format("no kind of 64-bit immediate has number {}", in.src_field()));
  }
  if (next == nullptr || next->opcode != 0 || next->regs != 0 || next->offset != 0) {
    return in.refuse("a 64-bit immediate lacks its second slot");
  }
  const auto kind = static_cast<Imm64Kind>(in.src_field());
  if (next->imm != 0 && !uses_next_imm(kind)) {
    return in.refuse("the second immediate of this kind of 64-bit immediate must be 0");
  }
  const std::uint64_t high = static_cast<std::uint32_t>(next->imm);
  return checked(in.fields({.dst = true, .src = true, .imm = true}),
                 LoadImm64{.kind = kind,
                           .dst = in.dst(),
                           .value = high << 32 | static_cast<std::uint32_t>(in.imm())});
}

Decoded decode_one(const Reader& in, const Slot* next) {
  switch (in.opcode() & 7) {
    case wire::kLd:
      if ((in.opcode() & 0xe0) == wire::kImm) return decode_imm64(in, next);
      if ((in.opcode() & 0xe0) == wire::kAbs) return decode_packet(in, false);
      if ((in.opcode() & 0xe0) == wire::kInd) return decode_packet(in, true);
      return in.unknown();
    case wire::kLdx:
      return decode_load(in);
    case wire::kSt:
      return decode_store(in, false);
    case wire::kStx:
      return decode_store(in, true);
    case wire::kAlu:
      return decode_alu(in, false);
    case wire::kJmp:
      return decode_jump(in, true);
    case wire::kJmp32:
      return decode_jump(in, false);
    case wire::kAlu64:
      return decode_alu(in, true);
  }
  return in.unknown();
}

}  // namespace

Result<std::vector<Instruction>> decode(std::span<const Slot> slots) {
  std::vector<Instruction> out;
  out.reserve(slots.size());
  for (std::size_t i = 0; i < slots.size();) {
    const Slot* next = i + 1 < slots.size() ? &slots[i + 1] : nullptr;
    Decoded one = decode_one(Reader(slots[i], i), next);
    if (!one) {
      return tl::make_unexpected(std::move(one.error()));
    }
    i += ebpf::slots(*one);
    out.push_back(*one);
  }
  return out;
}

}  // namespace weir::ebpf
