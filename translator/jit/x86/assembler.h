// An assembler for the few x86-64 instructions the compiler uses. It only makes bytes: one function
// a form, no choice of registers, no knowledge of extended programs. Source: AMD64 Architecture
// Programmer's Manual, volume 3; the tests hold every form against a disassembler.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace weir::jit::x86 {

enum class Gp : std::uint8_t {
  kRax,
  kRcx,
  kRdx,
  kRbx,
  kRsp,
  kRbp,
  kRsi,
  kRdi,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15,
};

// Of the operands: 32 bits (the upper half of a destination becomes 0) or 64.
enum class Size : std::uint8_t { k32, k64 };

// Base, displacement and an index times 1, 2, 4 or 8; rsp stands for no index, which it cannot be.
struct Mem {
  Gp base = Gp::kRax;
  std::int32_t disp = 0;
  Gp index = Gp::kRsp;
  std::uint8_t scale = 1;
};

// The numbers in the encoding of a condition.
enum class Condition : std::uint8_t {
  kBelow = 2,
  kAboveOrEqual = 3,
  kEqual = 4,
  kNotEqual = 5,
  kBelowOrEqual = 6,
  kAbove = 7,
  kSign = 8,
  kLess = 12,
  kGreaterOrEqual = 13,
  kLessOrEqual = 14,
  kGreater = 15,
};
constexpr Condition opposite(Condition condition) {
  return static_cast<Condition>(static_cast<std::uint8_t>(condition) ^ 1U);
}

// The numbers in the encoding of an operation of the first group.
enum class Arith : std::uint8_t { kAdd = 0, kOr = 1, kAnd = 4, kSub = 5, kXor = 6, kCmp = 7 };
// Of the shift group.
enum class Shift : std::uint8_t { kRol = 0, kRor = 1, kShl = 4, kShr = 5, kSar = 7 };
// Of the group of one operand.
enum class Unary : std::uint8_t { kNeg = 3, kDiv = 6, kIdiv = 7 };
// What is loaded, and what becomes of the bits above it.
enum class Extend : std::uint8_t { kZero8, kZero16, kZero32, kNone64, kSign8, kSign16, kSign32 };

// A vector register: 256 bits, or their lower 128.
enum class Ymm : std::uint8_t {
  k0,
  k1,
  k2,
  k3,
  k4,
  k5,
  k6,
  k7,
  k8,
  k9,
  k10,
  k11,
  k12,
  k13,
  k14,
  k15,
};
enum class Bits : std::uint8_t { k128, k256 };

// What is done with two vectors of AVX2, by the name of the instruction.
enum class Vector : std::uint8_t {
  kAnd,               // vpand
  kAndNot,            // vpandn: not the first, and the second.
  kOr,                // vpor
  kXor,               // vpxor
  kAddDwords,         // vpaddd
  kAddQwords,         // vpaddq
  kSubDwords,         // vpsubd
  kMulDwords,         // vpmulld
  kMinDwords,         // vpminud
  kMaxDwords,         // vpmaxud
  kEqualDwords,       // vpcmpeqd
  kGreaterDwords,     // vpcmpgtd
  kShuffleBytes,      // vpshufb
  kUnpackLowDwords,   // vpunpckldq
  kUnpackHighDwords,  // vpunpckhdq
  kUnpackLowQwords,   // vpunpcklqdq
  kUnpackHighQwords,  // vpunpckhqdq
  kPermuteDwords,     // vpermd: the first says which of the second.
};
// With one more number of 8 bits.
enum class VectorImm : std::uint8_t {
  kShuffleDwords,  // vshufps
  kPermuteHalves,  // vperm2i128
  kInsertHalf,     // vinserti128: of the second, 128 bits.
};
// Numbers in the encoding of a shift by a constant.
enum class VectorShift : std::uint8_t { kShr = 2, kSar = 4, kShl = 6 };

// A place in the code, to be bound once and jumped to any number of times.
struct Label {
  std::uint32_t id = 0;
};

class Assembler {
 public:
  explicit Assembler(std::size_t expected_bytes = 256);

  void mov(Size size, Gp dst, Gp src);
  void mov_imm(Gp dst, std::uint64_t value);  // In the shortest form; flags stay.
  void mov_imm32(Gp dst, std::uint32_t value);
  void zero(Gp dst);                        // xor: flags are lost.
  void extend(Extend how, Gp dst, Gp src);  // Sign extension is to 64 bits.
  void load(Extend how, Gp dst, Mem src);
  void store(std::uint8_t bytes, Mem dst, Gp src);
  void store_imm(std::uint8_t bytes, Mem dst, std::int32_t imm);
  void lea(Gp dst, Mem src);

  void arith(Arith op, Size size, Gp dst, Gp src);
  void arith(Arith op, Size size, Gp dst, std::int32_t imm);
  void arith_mem(Arith op, Size size, Gp dst, Mem src);                // dst op= [src].
  void arith_mem_imm(Arith op, Size size, Mem dst, std::int32_t imm);  // [dst] op= imm.
  // Flags of `bytes` (1, 2 or 4) at dst against the low bytes of imm.
  void cmp_mem_imm(std::uint8_t bytes, Mem dst, std::uint32_t imm);
  void test_mem_imm(std::uint8_t bytes, Mem dst, std::uint32_t imm);
  void test(Size size, Gp a, Gp b);
  void test(Size size, Gp a, std::int32_t imm);
  void imul(Size size, Gp dst, Gp src);
  void imul(Size size, Gp dst, Gp src, std::int32_t imm);
  void unary(Unary op, Size size, Gp reg);
  void sign_into_rdx(Size size);  // cdq, cqo.
  void shift(Shift op, Size size, Gp reg, std::uint8_t count);
  void shift_cl(Shift op, Size size, Gp reg);
  void rotate16(Gp reg, std::uint8_t count);  // rol of the low 16 bits; the others stay.
  void bswap(Size size, Gp reg);
  void cmov(Condition condition, Size size, Gp dst, Gp src);
  void exchange(Gp a, Gp b);  // 64 bits.

  void lock_arith(Arith op, Size size, Mem dst, Gp src);
  void lock_xadd(Size size, Mem dst, Gp src);
  void lock_xchg(Size size, Mem dst, Gp src);
  void lock_cmpxchg(Size size, Mem dst, Gp src);
  void prefetch(Mem src);  // prefetcht0.

  void vector(Vector op, Ymm dst, Ymm a, Ymm b);
  void vector(Vector op, Ymm dst, Ymm a, Mem b);
  void vector(VectorImm op, Ymm dst, Ymm a, Ymm b, std::uint8_t imm);
  void vector(VectorImm op, Ymm dst, Ymm a, Mem b, std::uint8_t imm);
  void vector_shift(VectorShift op, Ymm dst, Ymm a, std::uint8_t count);  // Of dwords.
  void vector_mov(Bits bits, Ymm dst, Ymm src);
  void vector_load(Bits bits, Ymm dst, Mem src);
  void vector_store(Ymm src, Mem dst);
  void vector_broadcast(Ymm dst, Mem src);                 // A dword, to all.
  void vector_extend(Ymm dst, Ymm src);                    // Four dwords to qwords.
  void vector_upper(Ymm dst, Ymm src);                     // The upper half to the lower.
  void vector_choose(Ymm dst, Ymm no, Ymm yes, Ymm mask);  // vpblendvb.
  void vector_gather(Ymm dst, Ymm index, std::int32_t disp, Ymm mask);  // vpgatherqd of four.
  void vector_signs(Gp dst, Ymm src);  // The highest bit of each dword.
  void vector_done();                  // vzeroupper.

  void push(Gp reg);
  void pop(Gp reg);
  void call(Gp reg);
  void ret();
  // Fills up with instructions that do nothing until the place is a multiple of `bytes`, a power of
  // two. Before the first jump only: later ones do not know their places yet.
  void align(std::size_t bytes);

  Label new_label();
  void bind(Label label);
  void jmp(Label target);
  void jcc(Condition condition, Label target);
  void call(Label target);

  // The code with every jump in its shortest form; each label used must be bound. Call once. O(n)
  // but for the rounds in which jumps grow, of which there are few.
  std::vector<std::uint8_t> finish();

 private:
  // Opcode map, implied prefix and opcode.
  struct VexCode {
    std::uint8_t map = 0;
    std::uint8_t prefix = 0;
    std::uint8_t opcode = 0;
  };
  static VexCode code_of(Vector op);
  static VexCode code_of(VectorImm op);
  enum class JumpKind : std::uint8_t { kJmp, kJcc, kCall };
  // Jumps are not among the bytes until finish() knows their sizes.
  struct Jump {
    std::uint32_t at = 0;  // In bytes_, where it is to stand.
    std::uint32_t target = 0;
    JumpKind kind = JumpKind::kJmp;
    Condition condition = Condition::kEqual;
    std::uint8_t size = 2;
  };
  struct Place {
    std::uint32_t at = 0;  // In bytes_.
    std::uint32_t jumps_before = 0;
  };

  void byte(unsigned value);
  void imm32(std::uint32_t value);
  void imm64(std::uint64_t value);
  // REX prefix when it is needed; `byte_reg` when an operand is the low byte of a register.
  void rex(bool wide, unsigned reg, unsigned base, bool byte_reg = false, unsigned index = 0);
  void rex_mem(bool wide, unsigned reg, Mem mem, bool byte_reg = false);
  void imm_bytes(std::uint8_t bytes, std::uint32_t value);
  void modrm_reg(unsigned reg, unsigned rm);
  // The three-byte VEX prefix. `third` is the register that is neither in the ModRM byte nor in
  // its address.
  void vex(VexCode code, Bits bits, unsigned reg, unsigned third, unsigned base, unsigned index);
  void vex_reg(VexCode code, Bits bits, unsigned reg, unsigned third, unsigned rm);
  void vex_mem(VexCode code, Bits bits, unsigned reg, unsigned third, Mem rm);
  void modrm_mem(unsigned reg, Mem mem);
  void op_reg(Size size, unsigned opcode, unsigned reg, Gp rm);
  void op_mem(Size size, unsigned opcode, unsigned reg, Mem rm);
  void add_jump(JumpKind kind, Condition condition, Label target);
  // Returns the place behind it.
  static std::uint8_t* write_jump(std::uint8_t* out, const Jump& jump, std::int64_t distance);

  std::vector<std::uint8_t> bytes_;
  std::vector<Jump> jumps_;
  std::vector<Place> places_;  // By label.
};

}  // namespace weir::jit::x86
