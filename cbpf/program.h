// A classic program: just its instructions, nothing promised. Text forms are in text.h, the
// promise is in validate.h.
#pragma once

#include <vector>

#include "cbpf/instruction.h"

namespace weir::cbpf {

struct Program {
  std::vector<Instruction> instructions;
  friend bool operator==(const Program&, const Program&) = default;
};

// Whose reading of the classic language holds where the kernel and libpcap disagree:
//
//   | case                                   | kLinux                | kLibpcap |
//   | A <<= X, A >>= X with X >= 32          | shifts by X mod 32    | 0        |
//   | ld [x + k], X + k past 2^32            | wraps to a small offset | rejects |
//   | load at kNetworkOffset/kLinkOffset + n | reads there           | rejects  |
//
// A negative k is the second case: as an unsigned number it is large.
enum class Dialect : std::uint8_t { kLibpcap, kLinux };

}  // namespace weir::cbpf
