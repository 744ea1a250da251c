// Jumps to jumps.
#pragma once

#include "translator/lower/extended/machine.h"

namespace weir::lower {

// Lets every edge to a block that does nothing but jump on lead straight to where that leads, and
// takes blocks that nothing leads to any more out of the function. O(blocks + edges).
void thread_jumps(machine::Function& function);

}  // namespace weir::lower
