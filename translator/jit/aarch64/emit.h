// The AArch64 code of single extended instructions: those whose code depends on nothing but
// themselves. Registers 6, 7, 16 and 17 of the processor are free in each of them, flags too.
//
// The processor divides as RFC 9669 section 4.1 wants it (by 0: 0; the most negative number by -1:
// itself), shifts by as many bits of the count as it wants, and clears the upper half of a register
// whose lower half is written, so that most instructions are one.
#pragma once

#include <array>
#include <cstdint>

#include "translator/ebpf/instruction.h"
#include "translator/jit/aarch64/assembler.h"
#include "translator/userspace/run.h"

namespace weir::jit::aarch64 {

// Where the registers of the extended machine live: r0 to r5 are x0 to x5, so that r1 to r5 are
// where a helper finds them behind `user`; r6 to r10 are what a C function keeps.
constexpr Gp gp(ebpf::Reg reg) {
  constexpr std::array<Gp, 11> kRegisters = {Gp::kX0,  Gp::kX1,  Gp::kX2,  Gp::kX3,
                                             Gp::kX4,  Gp::kX5,  Gp::kX19, Gp::kX20,
                                             Gp::kX21, Gp::kX22, Gp::kX23};
  return kRegisters[static_cast<std::size_t>(reg)];
}

// A place that is computed is in the first, a number that does not fit an instruction in the
// second.
inline constexpr Gp kAddress = Gp::kX16;
inline constexpr Gp kNumber = Gp::kX17;

void emit_alu(Assembler& assembler, const ebpf::Alu& alu);

// dst = src; dst op= something, without a move; false, and no code, when the two are anything else.
bool emit_on_copy(Assembler& assembler, const ebpf::Alu& move, const ebpf::Alu& next);

// `is_zero_extended`: the register holds no more than endian.bits.
void emit_endian(Assembler& assembler, const ebpf::Endian& endian, bool is_zero_extended);

Extend extend_of(ebpf::Width width, bool sign_extend);

// Loads and stores at any displacement. May take kAddress and kNumber.
void emit_load(Assembler& assembler, Extend how, Gp dst, Mem src);
void emit_store(Assembler& assembler, std::uint8_t bytes, Mem dst, Gp src);
void emit_store_imm(Assembler& assembler, std::uint8_t bytes, Mem dst, std::int32_t imm);

// dst = src + value; dst = src & value, of 32 bits; flags of reg - value. May take kNumber.
void emit_add(Assembler& assembler, Size size, Gp dst, Gp src, std::int64_t value);
void emit_and32(Assembler& assembler, Gp dst, Gp src, std::uint32_t value);
void emit_compare_with(Assembler& assembler, Size size, Gp reg, std::int64_t value);
// Flags of reg & value. May take kNumber.
void emit_test_with(Assembler& assembler, Size size, Gp reg, std::uint64_t value);

// *place op= src; the place is checked or known to be aligned.
void emit_atomic(Assembler& assembler, const ebpf::Atomic& atomic, Mem place);

// The condition under which a jump is taken after a compare. Not of kJa.
Condition condition_of(ebpf::JumpOp op);
// Sets the flags; the condition under which the jump is taken. Not of kJa.
Condition emit_compare(Assembler& assembler, const ebpf::Jump& jump);
// Goes to the label if reg op value; one instruction where there is one. Not of kJa.
void emit_jump_with(Assembler& assembler, ebpf::JumpOp op, Size size, Gp reg, std::int64_t value,
                    Label target);
void emit_jump(Assembler& assembler, const ebpf::Jump& jump, Label target);

// The lowest `bytes`, a multiple of 8, below r10 become 0.
void emit_zero_stack(Assembler& assembler, std::int32_t bytes);

// r1 to r5 over a call of C++: 48 bytes of stack.
void emit_saves_around_call(Assembler& assembler);
void emit_restores_around_call(Assembler& assembler);
void emit_helper_call(Assembler& assembler, const ebpf::Helper& helper);

}  // namespace weir::jit::aarch64
