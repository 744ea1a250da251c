// Classic programs as text to read: the assembler's own language, and libpcap's listing.
#pragma once

#include <cstdint>
#include <string>

#include "cbpf/program.h"

namespace weir::cbpf {

// The program in the language of assemble.h, one instruction a line, every jump target labelled
// with the index of its instruction:
//
//         ldh [12]
//         jne #0x800, l3
//         ret #262144
//     l3: ret #0
//
// assemble(disassemble(p)) == p for every program that is not empty. What the language has no words
// for (an unknown code, a jump past the end, a field that the machine ignores but is not 0) is
// written as `.insn CODE, JT, JF, K`.
std::string disassemble(const Program& program);

// One instruction as `tcpdump -d` prints it, byte for byte as libpcap 1.10's bpf_image() does, the
// end of the line excluded: "(001) jeq      #0x800           jt 2\tjf 5". `index` is its place in
// the program.
std::string listing_line(const Instruction& instruction, std::uint32_t index);

}  // namespace weir::cbpf
