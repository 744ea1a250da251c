// The vector forms of the assembler: AVX2, VEX-encoded.
#include "translator/jit/x86/assembler.h"

namespace weir::jit::x86 {
namespace {

constexpr unsigned number(Gp reg) { return static_cast<unsigned>(reg); }
constexpr unsigned number(Ymm reg) { return static_cast<unsigned>(reg); }

constexpr std::uint8_t kMap0f = 1;
constexpr std::uint8_t kMap0f38 = 2;
constexpr std::uint8_t kMap0f3a = 3;
constexpr std::uint8_t kNone = 0;
constexpr std::uint8_t k66 = 1;
constexpr std::uint8_t kF3 = 2;

}  // namespace

Assembler::VexCode Assembler::code_of(Vector op) {
  switch (op) {
    case Vector::kAnd:
      return {kMap0f, k66, 0xdb};
    case Vector::kAndNot:
      return {kMap0f, k66, 0xdf};
    case Vector::kOr:
      return {kMap0f, k66, 0xeb};
    case Vector::kXor:
      return {kMap0f, k66, 0xef};
    case Vector::kAddDwords:
      return {kMap0f, k66, 0xfe};
    case Vector::kAddQwords:
      return {kMap0f, k66, 0xd4};
    case Vector::kSubDwords:
      return {kMap0f, k66, 0xfa};
    case Vector::kMulDwords:
      return {kMap0f38, k66, 0x40};
    case Vector::kMinDwords:
      return {kMap0f38, k66, 0x3b};
    case Vector::kMaxDwords:
      return {kMap0f38, k66, 0x3f};
    case Vector::kEqualDwords:
      return {kMap0f, k66, 0x76};
    case Vector::kGreaterDwords:
      return {kMap0f, k66, 0x66};
    case Vector::kShuffleBytes:
      return {kMap0f38, k66, 0x00};
    case Vector::kUnpackLowDwords:
      return {kMap0f, k66, 0x62};
    case Vector::kUnpackHighDwords:
      return {kMap0f, k66, 0x6a};
    case Vector::kUnpackLowQwords:
      return {kMap0f, k66, 0x6c};
    case Vector::kUnpackHighQwords:
      return {kMap0f, k66, 0x6d};
    case Vector::kPermuteDwords:
      return {kMap0f38, k66, 0x36};
  }
  return {};
}

Assembler::VexCode Assembler::code_of(VectorImm op) {
  switch (op) {
    case VectorImm::kShuffleDwords:
      return {kMap0f, kNone, 0xc6};
    case VectorImm::kPermuteHalves:
      return {kMap0f3a, k66, 0x46};
    case VectorImm::kInsertHalf:
      return {kMap0f3a, k66, 0x38};
  }
  return {};
}

// The prefix holds the upper bits of registers, and `third`, inverted.
void Assembler::vex(VexCode code, Bits bits, unsigned reg, unsigned third, unsigned base,
                    unsigned index) {
  byte(0xc4);
  byte((reg < 8 ? 0x80U : 0U) | (index < 8 ? 0x40U : 0U) | (base < 8 ? 0x20U : 0U) | code.map);
  byte((~third & 0xf) << 3 | (bits == Bits::k256 ? 4U : 0U) | code.prefix);
  byte(code.opcode);
}

void Assembler::vex_reg(VexCode code, Bits bits, unsigned reg, unsigned third, unsigned rm) {
  vex(code, bits, reg, third, rm, 0);
  modrm_reg(reg, rm);
}

void Assembler::vex_mem(VexCode code, Bits bits, unsigned reg, unsigned third, Mem rm) {
  vex(code, bits, reg, third, number(rm.base), rm.index == Gp::kRsp ? 0 : number(rm.index));
  modrm_mem(reg, rm);
}

void Assembler::vector(Vector op, Ymm dst, Ymm a, Ymm b) {
  vex_reg(code_of(op), Bits::k256, number(dst), number(a), number(b));
}

void Assembler::vector(Vector op, Ymm dst, Ymm a, Mem b) {
  vex_mem(code_of(op), Bits::k256, number(dst), number(a), b);
}

void Assembler::vector(VectorImm op, Ymm dst, Ymm a, Ymm b, std::uint8_t imm) {
  vex_reg(code_of(op), Bits::k256, number(dst), number(a), number(b));
  byte(imm);
}

void Assembler::vector(VectorImm op, Ymm dst, Ymm a, Mem b, std::uint8_t imm) {
  vex_mem(code_of(op), Bits::k256, number(dst), number(a), b);
  byte(imm);
}

void Assembler::vector_shift(VectorShift op, Ymm dst, Ymm a, std::uint8_t count) {
  vex_reg({kMap0f, k66, 0x72}, Bits::k256, static_cast<unsigned>(op), number(dst), number(a));
  byte(count);
}

void Assembler::vector_mov(Bits bits, Ymm dst, Ymm src) {
  vex_reg({kMap0f, k66, 0x6f}, bits, number(dst), 0, number(src));
}

void Assembler::vector_load(Bits bits, Ymm dst, Mem src) {
  vex_mem({kMap0f, kF3, 0x6f}, bits, number(dst), 0, src);
}

void Assembler::vector_store(Ymm src, Mem dst) {
  vex_mem({kMap0f, kF3, 0x7f}, Bits::k256, number(src), 0, dst);
}

void Assembler::vector_broadcast(Ymm dst, Mem src) {
  vex_mem({kMap0f38, k66, 0x58}, Bits::k256, number(dst), 0, src);
}

void Assembler::vector_extend(Ymm dst, Ymm src) {
  vex_reg({kMap0f38, k66, 0x35}, Bits::k256, number(dst), 0, number(src));
}

void Assembler::vector_upper(Ymm dst, Ymm src) {
  vex_reg({kMap0f3a, k66, 0x39}, Bits::k256, number(src), 0, number(dst));
  byte(1);
}

void Assembler::vector_choose(Ymm dst, Ymm no, Ymm yes, Ymm mask) {
  vex_reg({kMap0f3a, k66, 0x4c}, Bits::k256, number(dst), number(no), number(yes));
  byte(number(mask) << 4);
}

// An address of nothing but an index has a SIB byte without a base, which has 32 bits of
// displacement.
void Assembler::vector_gather(Ymm dst, Ymm index, std::int32_t disp, Ymm mask) {
  vex({kMap0f38, k66, 0x91}, Bits::k256, number(dst), number(mask), 0, number(index));
  byte((number(dst) & 7) << 3 | 4U);
  byte((number(index) & 7) << 3 | 5U);
  imm32(static_cast<std::uint32_t>(disp));
}

void Assembler::vector_signs(Gp dst, Ymm src) {
  vex_reg({kMap0f, kNone, 0x50}, Bits::k256, number(dst), 0, number(src));
}

void Assembler::vector_done() {
  byte(0xc5);
  byte(0xf8);
  byte(0x77);
}

}  // namespace weir::jit::x86
