// The text forms of a classic program: how programs travel between tools.
//
// Sources: tcpdump(1) -d, -dd, -ddd and libpcap's bpf_dump(); iptables-extensions(8), module bpf.
// Assembly is no wire form; it has its own rooms, assemble.h and disassemble.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cbpf/base/result.h"
#include "cbpf/program.h"

namespace weir::cbpf {

enum class TextForm : std::uint8_t {
  kListing,  // tcpdump -d:   (000) ldh      [12]
  kCArray,   // tcpdump -dd:  { 0x28, 0, 0, 0x0000000c },
  kDecimal,  // tcpdump -ddd: the count on a line, then "40 0 0 12" a line.
  kXtBpf,    // One line: 4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0
  kJson,     // One line: [[40,0,0,12],[21,0,1,2048],…]
};

// "tcpdump -d", "xt_bpf", "JSON" …
std::string_view text_form_name(TextForm form);

// The program in a form, ending with the end of a line; the first three byte for byte as tcpdump
// 4.99 with libpcap 1.10 prints them. The listing leaves out what libpcap leaves out (fields that
// the instruction ignores, all but the code of an unknown instruction); the other forms keep
// everything. iptables takes at most 64 instructions of the xt_bpf form.
std::string to_text(const Program& program, TextForm form);

// Reads a program back. Codes and jumps are not judged here: that is validate()'s work. kSyntax
// with line and column (JSON: the line and column, or the instruction) when the text breaks its
// form's rules, has a field too large for its width, holds another number of instructions than it
// says, or none. Beside what to_text() writes:
//   - C arrays may have comments and a declaration around them: `struct sock_filter code[] = { …
//   };`
//   - xt_bpf may end with a comma, as bpf_asm writes it, and may be broken into lines;
//   - JSON may be an object that holds the array as "instructions", or such an object as "classic".
// A listing with an unknown instruction ("unimp") is refused, since the line does not hold all of
// it.
Result<Program> from_text(std::string_view text, TextForm form);

// The form that a text is in, judged by its first characters; kSyntax when they fit none.
Result<TextForm> detect_text_form(std::string_view text);

// Reads a program in whichever form it is in: detect_text_form(), then from_text().
Result<Program> read_program(std::string_view text);

}  // namespace weir::cbpf
