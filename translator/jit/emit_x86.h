// The x86-64 code of single extended instructions: those whose code depends on nothing but
// themselves. r10 and r11 of the processor are free in each of them, flags too.
#pragma once

#include <array>

#include "translator/ebpf/instruction.h"
#include "translator/jit/assembler_x86.h"

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

x86::Extend extend_of(const ebpf::Load& load);

// *place op= src; the place is checked and its base is neither r11 nor a register of the program.
void emit_atomic(x86::Assembler& assembler, const ebpf::Atomic& atomic, x86::Mem place);

// Sets the flags; the condition under which the jump is taken. Not of kJa.
x86::Condition emit_compare(x86::Assembler& assembler, const ebpf::Jump& jump);

}  // namespace weir::jit
