// Needs where they are needed.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Moves every need down to the first load that wants it, past tests that would reject the packet
// anyhow, and no farther than every way that accepts still passes it. What merging needs gained
// stays: a load asks at once for all that was asked for above it. So fewer packets come as far as
// the check, and checks behind different headers come to stand together with the loads they are
// for, where merge_tails finds them to be the same. The function's blocks must all be reachable and
// its needs stand as opt::merge_needs leaves them. O(values + edges) for the few bases that are
// asked for at a time.
void sink_bounds_checks(ir::Function& function);

}  // namespace weir::lower
