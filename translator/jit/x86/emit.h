// The x86-64 code of single extended instructions: those whose code depends on nothing but
// themselves. r10 and r11 of the processor are free in each of them, flags too.
#pragma once

#include <array>
#include <cstdint>

#include "translator/ebpf/instruction.h"
#include "translator/jit/x86/assembler.h"
#include "translator/userspace/run.h"

namespace weir::jit {

// Where the registers of the extended machine live; r0 to r5 are where a C function takes its
// answer and its first arguments, r6 to r10 are what a C function keeps.
constexpr x86::Gp gp(ebpf::Reg reg) {
  constexpr std::array<x86::Gp, 11> kRegisters = {
      x86::Gp::kRax, x86::Gp::kRdi, x86::Gp::kRsi, x86::Gp::kRdx, x86::Gp::kRcx, x86::Gp::kR8,
      x86::Gp::kRbx, x86::Gp::kR13, x86::Gp::kR14, x86::Gp::kR15, x86::Gp::kRbp};
  return kRegisters[static_cast<std::size_t>(reg)];
}

void emit_alu(x86::Assembler& assembler, const ebpf::Alu& alu);

// `is_zero_extended`: the register holds no more than endian.bits.
void emit_endian(x86::Assembler& assembler, const ebpf::Endian& endian, bool is_zero_extended);

// dst = src; dst += something, both of 64 bits, as one instruction; false, and no code, when the
// two are anything else.
bool emit_sum(x86::Assembler& assembler, const ebpf::Alu& move, const ebpf::Alu& add);

x86::Extend extend_of(ebpf::Width width, bool sign_extend);

// *place op= src; the place is checked and its base is neither r11 nor a register of the program.
void emit_atomic(x86::Assembler& assembler, const ebpf::Atomic& atomic, x86::Mem place);

// The condition under which a jump is taken after a compare. Not of kJa.
x86::Condition condition_of(ebpf::JumpOp op);

// The lowest `bytes` below r10 become 0.
void emit_zero_stack(x86::Assembler& assembler, std::int32_t bytes);

// r1 to r5 and r9 of the processor over a call of C++: 48 bytes of stack.
void emit_saves_around_call(x86::Assembler& assembler);
void emit_restores_around_call(x86::Assembler& assembler);

void emit_helper_call(x86::Assembler& assembler, const ebpf::Helper& helper);

// Sets the flags; the condition under which the jump is taken. Not of kJa.
x86::Condition emit_compare(x86::Assembler& assembler, const ebpf::Jump& jump);

}  // namespace weir::jit
