// How large a value can be, told from how it is computed.
#pragma once

#include <cstdint>
#include <vector>

#include "translator/ir/function.h"

namespace weir::ir {

inline constexpr std::uint32_t kUnbounded = 0xffffffff;

// The largest number that the value can be when its operands are at most `a` and `b` (for an
// operand that is a constant, that is the constant itself). kUnbounded for a parameter: only its
// edges know more. O(1).
std::uint32_t upper_bound(const Value& value, std::uint32_t a, std::uint32_t b, bool b_is_constant);

// The largest number each value of the function can be, by ValueId; parameters take the largest of
// what comes along their edges. One sweep, O(values + edges).
std::vector<std::uint32_t> upper_bounds(const Function& function);

}  // namespace weir::ir
