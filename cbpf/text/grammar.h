// The words of classic assembly: which mnemonic takes which operand, and the code the two make. One
// table serves the assembler, the disassembler and the `tcpdump -d` listing.
//
// Source: the kernel's Documentation/networking/filter.rst, "Mode" tables; libpcap's bpf_image().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cbpf/instruction.h"
#include "cbpf/text/operand.h"

namespace weir::cbpf {

// One spelling of one code.
struct Form {
  std::string_view mnemonic;
  OperandKind operand = OperandKind::kNone;
  std::uint16_t code = 0;
  bool negated = false;  // `jne`, `jlt`, `jle`: the label is jf, and the code is the opposite's.
  bool decimal = false;  // An immediate is written as a signed decimal number, else as hexadecimal.
};

// Every form; of two that make the same code, the one to print comes first.
std::span<const Form> forms();
// The form of a mnemonic (in lower case) with an operand; null when the two do not go together.
const Form* find_form(std::string_view mnemonic, OperandKind operand);
// The form that prints a code; null when the machine has no such code.
const Form* find_form(std::uint16_t code);
// The form that prints the opposite of a conditional jump: jne for jeq, jlt for jge, jle for jgt.
const Form* find_negated_form(std::uint16_t code);
bool is_mnemonic(std::string_view word);

// Whether the code is a conditional jump, one that uses jt and jf.
constexpr bool is_conditional_jump(std::uint16_t code) {
  return class_of(code) == kJmp && op_of(code) != kJa;
}

// The extension of a name in lower case, in the words of filter.rst and those of libpcap's listing
// ("vlan_avail" and "vlanp", "rand" and "random"); nothing when it is none.
std::optional<Extension> extension_by_name(std::string_view name);
// Whether a name in lower case is the packet's length: "len", or "pktlen" as the listing has it.
bool is_length(std::string_view name);
// Whether a label may not be called so: registers, mnemonics, extensions, `m` and `len`.
bool is_reserved(std::string_view word);

// The known word nearest to a mistyped one, as " (did you mean 'jeq'?)"; empty when none is near.
std::string suggest_mnemonic(std::string_view word);
std::string suggest_extension(std::string_view word);

// Writes the operand of an instruction that `form` prints, jump targets excepted:
// "[x + 14]", "#0x800", "4*([14]&0xf)", "x"; extensions and `len` are the caller's.
std::string operand_text(const Form& form, std::uint32_t k);

}  // namespace weir::cbpf
