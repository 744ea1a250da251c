// Two ways to accept, one check.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Where one field accepts or else a field a little further on is asked, as in `port 80`, the check
// for the first field's bytes asks for the second one's as well: a packet that is long enough for
// both, as nearly all are, passes one check instead of two. A packet that is not goes a way of its
// own, with the first field only, so that it fares as before. Needs must stand in front of their
// loads (sink_bounds_checks.h). O(values + edges).
void share_bounds_check(ir::Function& function);

}  // namespace weir::lower
