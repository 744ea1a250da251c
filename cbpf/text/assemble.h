// The assembler of classic programs.
//
// The language is that of bpf_asm, as the kernel's Documentation/networking/filter.rst describes
// it: one instruction a line, labels before it, all of the document's mnemonics, addressing modes
// and extensions.
//
//     ; accepts IPv4 from a tagged frame
//           ld vlan_avail
//           jeq #0, drop
//           ldh [12]            /* the type */
//           jne #0x800, drop
//           ret #-1
//     drop: ret #0
//
// Mnemonics, registers and extensions are of any case; labels are not. Numbers are decimal,
// hexadecimal (0x), binary (0b) or octal (0), from -2^31 to 2^32 - 1. Comments are `;` to the end
// of the line, lines that begin with `#`, and `/* */`. `jne`, `jneq`, `jlt` and `jle` are `jeq`,
// `jge` and `jgt` with the label as jf; a conditional jump with one label goes on with the next
// instruction where it does not hold.
//
// Beside bpf_asm's language it takes
//   - the operands of a `tcpdump -d` listing: `ld #pktlen`, `ld [vlan_tci]`, `ld [x]`, `[x - 2]`;
//   - a `ja` that jumps backward;
//   - `.insn CODE, JT, JF, K`: an instruction by its fields.
// `ret x`, which bpf_asm knows but no kernel runs, is refused.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/program.h"

namespace weir::cbpf {

inline constexpr std::size_t kMaxAssemblyErrors = 20;

// Assembles a text, O(n). On failure: 1 to kMaxAssemblyErrors mistakes in the order of the text,
// one a line at most where the line itself cannot be read, each kSyntax with line and column and a
// caret page as its detail.
// Judged are the language, the reach of jumps and the index of M[]; the other rules of the machine
// are validate()'s.
tl::expected<Program, std::vector<Error>> assemble(std::string_view text);

}  // namespace weir::cbpf
