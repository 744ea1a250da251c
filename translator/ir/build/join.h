// Several filters as one function, so that passes can share what they load and test.
#pragma once

#include <cstdint>
#include <span>

#include "translator/ir/function.h"

namespace weir::ir {

// So many filters have a bit each in a function's 32-bit result.
inline constexpr std::size_t kMostJoined = 32;

enum class JoinedResult : std::uint8_t {
  kEvery,  // Bit i is set if filter i accepts (gives anything but 0).
  kFirst,  // 1 + the number of the first filter that accepts, 0 if none does.
};

// The function that runs the filters one after the other, at most kMostJoined and at least one, all
// of one link type. What ends a filter (a need or a guard that fails) ends that filter alone: it is
// a branch here, on kHas for a need. Behind the branch the need stands again, where it always
// holds, for it is needs that passes keep loads behind.
//
// The filters stand in it twice: once for packets that have all the bytes that the filters ask for
// in their first blocks, as far as any Ethernet frame has them, without those needs, so that what
// is loaded at one place serves all; and once for shorter packets. O(size of the filters).
Function join(std::span<const Function> filters, JoinedResult result);

// For the back end to extended, behind the passes: gives every branch that asks for captured bytes
// (kHas) its own question in its own block, since passes share questions as they share all values,
// and drops the needs that such a branch has just answered. What it leaves is no longer for
// ir::check or for passes. O(n).
void ask_where_needed(Function& function);

}  // namespace weir::ir
