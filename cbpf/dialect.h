// Whether the two readings of the classic language can part for a given program.
#pragma once

#include <cstdint>
#include <optional>

#include "cbpf/validate.h"

namespace weir::cbpf {

// The first instruction at which the two dialects can give different results on some packet, by
// bounds on A, X and M[] carried forward; nothing when they cannot, as in nearly every filter
// libpcap writes (its X comes from MSH, at most 60). A program with a loop is for libpcap's dialect
// only: its backward jump is named. O(n).
std::optional<std::uint32_t> dialects_part_at(const ValidatedProgram& program);

}  // namespace weir::cbpf
