// The numbers of the wire form (RFC 9669 sections 3 to 5), shared by encode.cpp and decode.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "translator/ebpf/instruction.h"

namespace weir::ebpf::wire {

// Section 3.2: the low three bits of an opcode.
inline constexpr std::uint8_t kLd = 0;
inline constexpr std::uint8_t kLdx = 1;
inline constexpr std::uint8_t kSt = 2;
inline constexpr std::uint8_t kStx = 3;
inline constexpr std::uint8_t kAlu = 4;
inline constexpr std::uint8_t kJmp = 5;
inline constexpr std::uint8_t kJmp32 = 6;
inline constexpr std::uint8_t kAlu64 = 7;

// Section 4: the second operand is a register (else the immediate).
inline constexpr std::uint8_t kX = 0x08;

// Section 4.1, the high four bits.
inline constexpr std::uint8_t kOpDiv = 0x30;
inline constexpr std::uint8_t kOpNeg = 0x80;
inline constexpr std::uint8_t kOpMod = 0x90;
inline constexpr std::uint8_t kOpMov = 0xb0;
inline constexpr std::uint8_t kOpEnd = 0xd0;

// Section 4.3.
inline constexpr std::uint8_t kOpJa = 0x00;
inline constexpr std::uint8_t kOpCall = 0x80;
inline constexpr std::uint8_t kOpExit = 0x90;

// Section 5: mode, the high three bits.
inline constexpr std::uint8_t kImm = 0x00;
inline constexpr std::uint8_t kAbs = 0x20;
inline constexpr std::uint8_t kInd = 0x40;
inline constexpr std::uint8_t kMem = 0x60;
inline constexpr std::uint8_t kMemSx = 0x80;
inline constexpr std::uint8_t kAtomic = 0xc0;

// Section 5: size, bits 3 and 4.
constexpr std::uint8_t size_bits(Width width) {
  switch (width) {
    case Width::kB:
      return 0x10;
    case Width::kH:
      return 0x08;
    case Width::kW:
      return 0x00;
    case Width::kDw:
      return 0x18;
  }
  return 0x18;
}

constexpr Width width_of(std::uint8_t opcode) {
  constexpr std::array<Width, 4> kWidths = {Width::kW, Width::kH, Width::kB, Width::kDw};
  return kWidths[(opcode >> 3) & 3];
}

// Section 5.3: the immediate of an atomic operation, without the fetch modifier.
inline constexpr std::int32_t kFetch = 0x01;

constexpr std::int32_t atomic_code(AtomicOp op) {
  switch (op) {
    case AtomicOp::kAdd:
      return 0x00;
    case AtomicOp::kOr:
      return 0x40;
    case AtomicOp::kAnd:
      return 0x50;
    case AtomicOp::kXor:
      return 0xa0;
    case AtomicOp::kExchange:
      return 0xe0;
    case AtomicOp::kCompareExchange:
      return 0xf0;
  }
  return 0;
}

// Section 4.1: the high four bits of an operation; the signed forms share those of the others.
constexpr std::uint8_t alu_code(AluOp op) {
  switch (op) {
    case AluOp::kAdd:
      return 0x00;
    case AluOp::kSub:
      return 0x10;
    case AluOp::kMul:
      return 0x20;
    case AluOp::kDiv:
    case AluOp::kSDiv:
      return kOpDiv;
    case AluOp::kOr:
      return 0x40;
    case AluOp::kAnd:
      return 0x50;
    case AluOp::kLsh:
      return 0x60;
    case AluOp::kRsh:
      return 0x70;
    case AluOp::kNeg:
      return kOpNeg;
    case AluOp::kMod:
    case AluOp::kSMod:
      return kOpMod;
    case AluOp::kXor:
      return 0xa0;
    case AluOp::kMov:
    case AluOp::kMovSx8:
    case AluOp::kMovSx16:
    case AluOp::kMovSx32:
      return kOpMov;
    case AluOp::kArsh:
      return 0xc0;
  }
  return kOpMov;
}

// Section 4.3.
constexpr std::uint8_t jump_code(JumpOp op) {
  switch (op) {
    case JumpOp::kJa:
      return kOpJa;
    case JumpOp::kEq:
      return 0x10;
    case JumpOp::kGt:
      return 0x20;
    case JumpOp::kGe:
      return 0x30;
    case JumpOp::kSet:
      return 0x40;
    case JumpOp::kNe:
      return 0x50;
    case JumpOp::kSGt:
      return 0x60;
    case JumpOp::kSGe:
      return 0x70;
    case JumpOp::kLt:
      return 0xa0;
    case JumpOp::kLe:
      return 0xb0;
    case JumpOp::kSLt:
      return 0xc0;
    case JumpOp::kSLe:
      return 0xd0;
  }
  return kOpJa;
}

}  // namespace weir::ebpf::wire
