// Extended programs as text, in the kernel's and bpftool's style.
#pragma once

#include <span>
#include <string>

#include "translator/ebpf/instruction.h"

namespace weir::ebpf {

// One instruction: "r0 = *(u16 *)(r1 + 12)", "w3 &= 15", "if w2 != 0x800 goto pc+5", "call 12".
std::string to_string(const Instruction& instruction);

// A whole program, one line an instruction: slot number, ": ", text; jump targets also as
// " <TARGET SLOT>" behind the line.
std::string disassemble(std::span<const Instruction> instructions);

}  // namespace weir::ebpf
