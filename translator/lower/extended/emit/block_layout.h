// The order in which the blocks of a machine function are laid out.
#pragma once

#include <vector>

#include "translator/lower/extended/machine.h"

namespace weir::lower {

struct BlockLayout {
  std::vector<machine::BlockId> blocks;  // Every edge but kRestart goes forward.
  bool cold_behind = true;               // The cold blocks stand behind all others.
};

// The function's own order with the cold blocks behind the others; but in a function so long that
// jumps there and back would not reach (16 bits), each as soon as all that lead to it are laid out.
// O(n log n).
BlockLayout lay_out(const machine::Function& function);

}  // namespace weir::lower
