// Makes classic code shorter without looking at what it means.
#pragma once

#include "translator/lower/classic/code.h"

namespace weir::lower::classic {

// Leads jumps past blocks that do nothing, drops what computes values nobody reads (loads from the
// packet stay, as they may end the filter, but where it ends with 0 all the same), makes blocks
// with equal code and equal successors one, and joins blocks of one line. Events are stale
// afterwards. O(instructions) a round, a few rounds.
void simplify_cfg(Code& code);

}  // namespace weir::lower::classic
