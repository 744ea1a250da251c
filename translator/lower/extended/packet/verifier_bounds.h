// How large Linux's verifier thinks a value can get.
#pragma once

#include <cstdint>
#include <vector>

#include "translator/ir/function.h"

namespace weir::lower {

// Not known, and perhaps not even to be a number of 32 bits: so it is with a value whose bytes were
// swapped.
inline constexpr std::uint64_t kUnbounded = 0xffffffffffffffff;

// The largest value of every value of the function, by ValueId, as far as the verifier derives it
// from the instructions they are lowered to (kernel/bpf/verifier.c, adjust_scalar_min_max_vals, of
// the oldest kernel supported); ir::upper_bounds knows more. A bound here may be larger than
// what the verifier knows, never smaller. One sweep, O(n).
std::vector<std::uint64_t> verifier_bounds(const ir::Function& function);

}  // namespace weir::lower
