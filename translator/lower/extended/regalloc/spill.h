// Moves virtual registers to the stack.
#pragma once

#include <vector>

#include "translator/lower/extended/machine.h"

namespace weir::lower {

// Rewrites the function so that the marked virtual registers live in stack slots: each definition
// is followed by a kSpill, each use reads a kReload just before it. Arguments on edges and block
// parameters stay as they are; moves on edges know slots.
void move_to_stack(machine::Function& function, const std::vector<bool>& marked);

}  // namespace weir::lower
