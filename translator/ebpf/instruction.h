// The instruction of the machine of 2014 by its meaning. Its wire form is in encode.h; the two are
// different types on purpose. Source: RFC 9669.
#pragma once

#include <cstdint>
#include <span>
#include <variant>

namespace weir::ebpf {

enum class Reg : std::uint8_t { kR0, kR1, kR2, kR3, kR4, kR5, kR6, kR7, kR8, kR9, kR10 };

// A register or a sign-extended 32-bit immediate.
using Operand = std::variant<Reg, std::int32_t>;

enum class Width : std::uint8_t { kB = 1, kH = 2, kW = 4, kDw = 8 };

// RFC 9669 section 4.1 but for endian operations. kSDiv, kSMod: offset 1. kMovSx8/16/32: MOVSX.
enum class AluOp : std::uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kSDiv,
  kOr,
  kAnd,
  kLsh,
  kRsh,
  kNeg,
  kMod,
  kSMod,
  kXor,
  kMov,
  kMovSx8,
  kMovSx16,
  kMovSx32,
  kArsh,
};

struct Alu {
  AluOp op = AluOp::kMov;
  bool is64 = true;  // False: 32 bits, the upper half becomes 0.
  Reg dst = Reg::kR0;
  Operand src = 0;  // Unused by kNeg.
  friend bool operator==(const Alu&, const Alu&) = default;
};

// Section 4.2. kSwap is unconditional (bswap, class ALU64).
enum class EndianOp : std::uint8_t { kToLittle, kToBig, kSwap };

struct Endian {
  EndianOp op = EndianOp::kToBig;
  std::uint8_t bits = 16;  // 16, 32 or 64.
  Reg dst = Reg::kR0;
  friend bool operator==(const Endian&, const Endian&) = default;
};

// dst = *(width*)(src + offset); sign_extend: MEMSX, section 5.2.
struct Load {
  Width width = Width::kDw;
  bool sign_extend = false;
  Reg dst = Reg::kR0;
  Reg src = Reg::kR0;
  std::int16_t offset = 0;
  friend bool operator==(const Load&, const Load&) = default;
};

// *(width*)(dst + offset) = src.
struct Store {
  Width width = Width::kDw;
  Reg dst = Reg::kR0;
  std::int16_t offset = 0;
  Operand src = 0;
  friend bool operator==(const Store&, const Store&) = default;
};

// Section 5.3.
enum class AtomicOp : std::uint8_t { kAdd, kOr, kAnd, kXor, kExchange, kCompareExchange };

struct Atomic {
  AtomicOp op = AtomicOp::kAdd;
  bool fetch = false;        // Always true of the exchanges.
  Width width = Width::kDw;  // kW or kDw.
  Reg dst = Reg::kR0;
  std::int16_t offset = 0;
  Reg src = Reg::kR0;
  friend bool operator==(const Atomic&, const Atomic&) = default;
};

// 64-bit immediate loads, section 5.4; two slots on the wire.
enum class Imm64Kind : std::uint8_t {
  kValue = 0,          // imm.
  kMapFd = 1,          // Address of the map with descriptor imm.
  kMapValueFd = 2,     // Address in the first value of that map, next_imm bytes in.
  kVariable = 3,       // Address of a platform variable.
  kCode = 4,           // Address of an instruction, relative.
  kMapIndex = 5,       // As kMapFd, by index into Program::maps.
  kMapValueIndex = 6,  // As kMapValueFd, by index into Program::maps.
};

struct LoadImm64 {
  Imm64Kind kind = Imm64Kind::kValue;
  Reg dst = Reg::kR0;
  std::uint64_t value = 0;  // Low half: imm; high half: next_imm.
  friend bool operator==(const LoadImm64&, const LoadImm64&) = default;
};

// Legacy packet access, section 5.5: r0 = packet bytes in host order at imm (+ *index). The context
// is in r6; r1 to r5 are lost; out of bounds ends the program with 0.
struct LoadPacket {
  Width width = Width::kW;  // kB, kH or kW.
  bool indirect = false;
  Reg index = Reg::kR0;  // Only when indirect.
  std::int32_t imm = 0;
  friend bool operator==(const LoadPacket&, const LoadPacket&) = default;
};

enum class JumpOp : std::uint8_t {
  kJa,
  kEq,
  kGt,
  kGe,
  kSet,
  kNe,
  kSGt,
  kSGe,
  kLt,
  kLe,
  kSLt,
  kSLe,
};

// Section 4.3. `offset` counts wire slots from the instruction behind this one; kJa alone may go
// past 16 bits (the JMP32 class form, `gotol`).
struct Jump {
  JumpOp op = JumpOp::kJa;
  bool is64 = true;  // False: compares the low 32 bits (JMP32).
  Reg dst = Reg::kR0;
  Operand src = 0;
  std::int32_t offset = 0;
  friend bool operator==(const Jump&, const Jump&) = default;
};

enum class CallKind : std::uint8_t { kHelper = 0, kLocal = 1, kKfunc = 2 };

// kHelper: imm is the helper's number. kLocal: relative slots. kKfunc: a BTF id, `offset` its
// table.
struct Call {
  CallKind kind = CallKind::kHelper;
  std::int32_t imm = 0;
  std::int16_t offset = 0;
  friend bool operator==(const Call&, const Call&) = default;
};

struct Exit {
  friend bool operator==(const Exit&, const Exit&) = default;
};

using Instruction =
    std::variant<Alu, Endian, Load, Store, Atomic, LoadImm64, LoadPacket, Jump, Call, Exit>;

// Wire slots of 8 bytes: 2 for LoadImm64, else 1.
constexpr std::uint32_t slots(const Instruction& instruction) {
  return std::holds_alternative<LoadImm64>(instruction) ? 2 : 1;
}

// Of a whole program.
constexpr std::uint32_t slot_count(std::span<const Instruction> instructions) {
  std::uint32_t count = 0;
  for (const Instruction& instruction : instructions) {
    count += slots(instruction);
  }
  return count;
}

}  // namespace weir::ebpf
