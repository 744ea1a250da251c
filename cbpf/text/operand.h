// The operands of classic assembly, read from text: the addressing modes of the kernel's
// Documentation/networking/filter.rst, and what libpcap's listing writes for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cbpf/base/result.h"
#include "cbpf/text/scanner.h"

namespace weir::cbpf {

enum class OperandKind : std::uint8_t {
  kNone,
  kRegisterX,     // x, %x
  kRegisterA,     // a, %a
  kImmediate,     // #k
  kNumber,        // k
  kAbsolute,      // [k]
  kIndexed,       // [x + k]
  kScratch,       // M[k]
  kHeaderLength,  // 4*([k]&0xf)
  kLength,        // len, #len
  kExtension,     // proto, #proto, [proto]
  kLabel,         // any other word
};

// How an error sentence writes the kind: "[x + k]".
std::string_view kind_name(OperandKind kind);

struct Operand {
  OperandKind kind = OperandKind::kNone;
  std::uint32_t k = 0;     // What goes into the instruction's k; for an extension its offset.
  std::string_view label;  // kLabel: the word, a view into the text.
  std::size_t offset = 0;  // Where it starts in the text.
};

// Reads one operand, blanks before it included; kNone at the end of the line. kSyntax with the
// place when what stands there is no operand.
Result<Operand> read_operand(Scanner& scanner);

}  // namespace weir::cbpf
