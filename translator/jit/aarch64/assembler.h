// An assembler for the few AArch64 instructions the compiler uses. It only makes bytes: one
// function a form, no choice of registers, no knowledge of extended programs. Nothing beyond
// ARMv8.0 is used. An operand its form cannot hold, or a label that is too far away, makes finish()
// fail; what fits can be asked for beforehand. Source: Arm Architecture Reference Manual for A-
// profile, chapter C6; the tests hold every form against a disassembler.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cbpf/base/result.h"

namespace weir::jit::aarch64 {

// Number 31 is the stack pointer in some places and zero in the others; each form knows which.
enum class Gp : std::uint8_t {
  kX0,
  kX1,
  kX2,
  kX3,
  kX4,
  kX5,
  kX6,
  kX7,
  kX8,
  kX9,
  kX10,
  kX11,
  kX12,
  kX13,
  kX14,
  kX15,
  kX16,
  kX17,
  kX18,
  kX19,
  kX20,
  kX21,
  kX22,
  kX23,
  kX24,
  kX25,
  kX26,
  kX27,
  kX28,
  kX29,
  kX30,
  kZero,
  kSp,
};

// Of the operands: 32 bits (the upper half of a destination becomes 0) or 64.
enum class Size : std::uint8_t { k32, k64 };

// Base and displacement in bytes.
struct Mem {
  Gp base = Gp::kX0;
  std::int32_t disp = 0;
};

// The numbers in the encoding of a condition.
enum class Condition : std::uint8_t {
  kEqual = 0,
  kNotEqual = 1,
  kAboveOrEqual = 2,  // Without sign: carry set; cs and hs are names of it.
  kBelow = 3,
  kMinus = 4,
  kAbove = 8,
  kBelowOrEqual = 9,
  kGreaterOrEqual = 10,
  kLess = 11,
  kGreater = 12,
  kLessOrEqual = 13,
};
constexpr Condition opposite(Condition condition) {
  return static_cast<Condition>(static_cast<std::uint8_t>(condition) ^ 1U);
}

// The numbers in the encoding of an operation. Those with an s set the flags.
enum class Arith : std::uint8_t { kAdd = 0, kAdds = 1, kSub = 2, kSubs = 3 };
enum class Logic : std::uint8_t { kAnd = 0, kOrr = 1, kEor = 2, kAnds = 3 };
enum class Shift : std::uint8_t { kLsl = 0, kLsr = 1, kAsr = 2, kRor = 3 };
enum class MoveWide : std::uint8_t { kMovn = 0, kMovz = 2, kMovk = 3 };
// What is loaded, and what becomes of the bits above it; signs go through 64 bits.
enum class Extend : std::uint8_t { kZero8, kZero16, kZero32, kNone64, kSign8, kSign16, kSign32 };

// Whether an addition, a subtraction or a compare takes the number: 12 bits, or 12 shifted by 12.
constexpr bool fits_arith(std::uint64_t imm) {
  return imm <= 0xfff || (imm <= 0xfff000 && (imm & 0xfff) == 0);
}
// The encoding of a number a logical operation takes: a run of ones, rotated, and repeated to fill
// the register. Nothing for others, among them 0 and all ones.
std::optional<std::uint32_t> logic_immediate(Size size, std::uint64_t imm);
// Whether a load or store of so many bytes takes the displacement: 12 bits without sign times the
// bytes, or 9 bits with sign.
constexpr bool fits_displacement(std::uint8_t bytes, std::int64_t disp) {
  return (disp >= -256 && disp <= 255) || (disp >= 0 && disp % bytes == 0 && disp / bytes <= 0xfff);
}

// A place in the code, to be bound once and jumped to any number of times.
struct Label {
  std::uint32_t id = 0;
};

class Assembler {
 public:
  explicit Assembler(std::size_t expected_instructions = 64);

  void mov(Size size, Gp dst, Gp src);  // Neither is the stack pointer.
  void mov_wide(MoveWide op, Size size, Gp dst, std::uint16_t imm, std::uint8_t shift);
  void mov_imm(Gp dst, std::uint64_t value);  // One to four instructions, as few as there can be.
  void mvn(Size size, Gp dst, Gp src);

  void arith(Arith op, Size size, Gp dst, Gp a, Gp b, std::uint8_t lsl = 0);
  void arith_imm(Arith op, Size size, Gp dst, Gp src, std::uint32_t imm);
  // dst = a + the low half of b << shift; shift is at most 4.
  void add_uxtw(Gp dst, Gp a, Gp b, std::uint8_t shift);
  void cmp(Size size, Gp a, Gp b);
  void cmp_imm(Size size, Gp a, std::uint32_t imm);
  void cmn_imm(Size size, Gp a, std::uint32_t imm);  // Compares with -imm.
  void logic(Logic op, Size size, Gp dst, Gp a, Gp b);
  void logic_imm(Logic op, Size size, Gp dst, Gp src, std::uint64_t imm);
  void tst(Size size, Gp a, Gp b);
  void tst_imm(Size size, Gp a, std::uint64_t imm);

  void shift(Shift op, Size size, Gp dst, Gp src, Gp count);  // By count modulo the size.
  void shift_imm(Shift op, Size size, Gp dst, Gp src, std::uint8_t count);  // Not kRor.
  // Of the low bits of src to `size`; kSign32 and kNone64 are of 64.
  void extend(Extend how, Size size, Gp dst, Gp src);
  void rev(Size size, Gp dst, Gp src);
  void rev16(Size size, Gp dst, Gp src);  // Within each 16 bits.
  void mul(Size size, Gp dst, Gp a, Gp b);
  void msub(Size size, Gp dst, Gp a, Gp b, Gp from);  // dst = from - a * b.
  void udiv(Size size, Gp dst, Gp a, Gp b);           // By 0: 0.
  void sdiv(Size size, Gp dst, Gp a, Gp b);
  void csel(Condition condition, Size size, Gp dst, Gp yes, Gp no);
  void cset(Condition condition, Size size, Gp dst);

  void load(Extend how, Gp dst, Mem src);
  void load_indexed(Extend how, Gp dst, Gp base, Gp index);
  void store(std::uint8_t bytes, Mem dst, Gp src);
  // The bytes at base; then base += step, of 9 bits with sign.
  void load_and_step(Extend how, Gp dst, Gp base, std::int32_t step);
  void store_and_step(std::uint8_t bytes, Gp base, std::int32_t step, Gp src);
  // Two registers of 64 bits (load_pair: of `size`), side by side.
  void store_pair(Mem dst, Gp a, Gp b);
  void load_pair(Size size, Mem src, Gp a, Gp b);
  // The stack pointer goes down before and up behind by `bytes`, a multiple of 16.
  void push_pair(Gp a, Gp b, std::int32_t bytes = 16);
  void pop_pair(Gp a, Gp b, std::int32_t bytes = 16);
  void push(Gp reg);  // 16 bytes, too.
  void pop(Gp reg);
  // Of 4 or 8 bytes at base, ordered as the strongest atomics of C++ are.
  void load_exclusive(Size size, Gp dst, Gp base);
  void store_exclusive(Size size, Gp failed, Gp src, Gp base);
  void prefetch(Mem src);  // Into the nearest cache, to be read.

  void call(Gp reg);
  void ret();
  // Fills up with instructions that do nothing until the place is a multiple of `bytes`, a power of
  // two. Before the first jump only: later ones do not know their places yet.
  void align(std::size_t bytes);

  Label new_label();
  void bind(Label label);
  void jump(Label target);
  void call(Label target);
  void jump_if(Condition condition, Label target);
  void jump_if_zero(Size size, Gp reg, Label target);
  void jump_if_not_zero(Size size, Gp reg, Label target);
  void jump_if_bit_clear(Gp reg, std::uint8_t bit, Label target);
  void jump_if_bit_set(Gp reg, std::uint8_t bit, Label target);

  // The code, jumps that do not reach over an opposite one; each label used must be bound. Call
  // once. kUnsupported when an operand did not fit or an unconditional jump goes over 128 MiB. O(n)
  // but for the rounds in which jumps grow.
  Result<std::vector<std::uint8_t>> finish();

 private:
  // By where the distance is, and how far it goes.
  enum class Reach : std::uint8_t { k26, k19, k14 };
  // Jumps are not among the words until finish() knows their sizes.
  struct Jump {
    std::uint32_t at = 0;      // In words_, where it is to stand.
    std::uint32_t target = 0;  // A label.
    std::uint32_t word = 0;    // Without its distance.
    Reach reach = Reach::k26;
    std::uint8_t words = 1;
  };
  struct Place {
    std::uint32_t at = 0;  // In words_.
    std::uint32_t jumps_before = 0;
  };

  void word(std::uint32_t value) { words_.push_back(value); }
  void need(bool fits) { all_fit_ = all_fit_ && fits; }
  std::uint32_t zr(Gp reg);  // The number in a place where 31 is zero,
  std::uint32_t sp(Gp reg);  // and in one where it is the stack pointer.
  void three(std::uint32_t opcode, Size size, Gp dst, Gp a, Gp b);
  void pair(std::uint32_t opcode, std::int32_t scaled, Gp base, Gp a, Gp b);
  void access(std::uint32_t opcode, std::uint8_t bytes, Mem mem, std::uint32_t reg);
  void add_jump(std::uint32_t word, Reach reach, Label target);
  static std::int64_t limit(Reach reach);
  void write_jump(std::vector<std::uint8_t>& out, const Jump& jump, std::int64_t distance);

  std::vector<std::uint32_t> words_;
  std::vector<Jump> jumps_;
  std::vector<Place> places_;  // By label.
  bool all_fit_ = true;
};

}  // namespace weir::jit::aarch64
