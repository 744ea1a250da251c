// Switches as trees of compares.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "translator/ir/function.h"
#include "translator/lower/extended/builder.h"

namespace weir::lower {

// Ends the current block with a decision on `value`: binary search over the ranges of the switch,
// and at its leaves up to three compares for equality in a row. `edge_of` makes the machine edge of
// an edge of the terminator, any number of times. Depth O(log n).
void lower_switch(machine::Builder& builder, const ir::Terminator& terminator, machine::Vreg value,
                  const std::function<machine::Edge(std::uint32_t edge)>& edge_of);

}  // namespace weir::lower
