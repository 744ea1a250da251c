// What RFC 9669 says of arithmetic and comparison, written a second time and differently: numbers
// of 128 bits that cannot overflow, cut to their width at the end. Slow and plain on purpose.
#pragma once

#include <cstdint>

#include "translator/ebpf/instruction.h"

namespace weir::vm {

__extension__ using Wide = __int128;

inline Wide unsigned_part(std::uint64_t value, int bits) {
  return bits == 64 ? Wide(value) : Wide(value) % (Wide(1) << bits);
}

inline Wide signed_part(std::uint64_t value, int bits) {
  const Wide number = unsigned_part(value, bits);
  return number >= (Wide(1) << (bits - 1)) ? number - (Wide(1) << bits) : number;
}

// The `bits` low bits of a number in two's complement.
inline std::uint64_t cut(Wide number, int bits) {
  const Wide modulus = Wide(1) << bits;
  return static_cast<std::uint64_t>(((number % modulus) + modulus) % modulus);
}

// The new value of dst; `src` is the register's or the sign-extended immediate's.
inline std::uint64_t reference_alu(ebpf::AluOp op, bool is64, std::uint64_t dst,
                                   std::uint64_t src) {
  const int bits = is64 ? 64 : 32;
  const Wide a = unsigned_part(dst, bits);
  const Wide b = unsigned_part(src, bits);
  const Wide sa = signed_part(dst, bits);
  const Wide sb = signed_part(src, bits);
  const int shift = static_cast<int>(src % static_cast<std::uint64_t>(bits));
  Wide power = 1;
  for (int i = 0; i < shift; ++i) {
    power *= 2;
  }
  switch (op) {
    case ebpf::AluOp::kAdd:
      return cut(a + b, bits);
    case ebpf::AluOp::kSub:
      return cut(a - b, bits);
    case ebpf::AluOp::kMul:
      return cut(sa * sb, bits);
    case ebpf::AluOp::kDiv:
      return b == 0 ? 0 : cut(a / b, bits);
    case ebpf::AluOp::kSDiv:
      return sb == 0 ? 0 : cut(sa / sb, bits);
    case ebpf::AluOp::kOr:
      return cut(a + b - (a & b), bits);
    case ebpf::AluOp::kAnd:
      return cut(a & b, bits);
    case ebpf::AluOp::kLsh:
      return cut(unsigned_part(dst, bits - shift) * power, bits);
    case ebpf::AluOp::kRsh:
      return cut(a / power, bits);
    case ebpf::AluOp::kNeg:
      return cut(-a, bits);
    case ebpf::AluOp::kMod:
      return b == 0 ? cut(a, bits) : cut(a % b, bits);
    case ebpf::AluOp::kSMod:
      return sb == 0 ? cut(a, bits) : cut(sa % sb, bits);
    case ebpf::AluOp::kXor:
      return cut(a + b - 2 * (a & b), bits);
    case ebpf::AluOp::kMov:
      return cut(b, bits);
    case ebpf::AluOp::kMovSx8:
      return cut(signed_part(src, 8), bits);
    case ebpf::AluOp::kMovSx16:
      return cut(signed_part(src, 16), bits);
    case ebpf::AluOp::kMovSx32:
      return cut(signed_part(src, 32), bits);
    case ebpf::AluOp::kArsh:
      // Rounds towards the negative.
      return cut(sa >= 0 ? sa / power : -((-sa + power - 1) / power), bits);
  }
  return 0;
}

inline bool reference_jump(ebpf::JumpOp op, bool is64, std::uint64_t dst, std::uint64_t src) {
  const int bits = is64 ? 64 : 32;
  const Wide a = unsigned_part(dst, bits);
  const Wide b = unsigned_part(src, bits);
  const Wide sa = signed_part(dst, bits);
  const Wide sb = signed_part(src, bits);
  switch (op) {
    case ebpf::JumpOp::kJa:
      return true;
    case ebpf::JumpOp::kEq:
      return a == b;
    case ebpf::JumpOp::kGt:
      return a > b;
    case ebpf::JumpOp::kGe:
      return a >= b;
    case ebpf::JumpOp::kSet:
      return (a & b) != 0;
    case ebpf::JumpOp::kNe:
      return a != b;
    case ebpf::JumpOp::kSGt:
      return sa > sb;
    case ebpf::JumpOp::kSGe:
      return sa >= sb;
    case ebpf::JumpOp::kLt:
      return a < b;
    case ebpf::JumpOp::kLe:
      return a <= b;
    case ebpf::JumpOp::kSLt:
      return sa < sb;
    case ebpf::JumpOp::kSLe:
      return sa <= sb;
  }
  return false;
}

}  // namespace weir::vm
