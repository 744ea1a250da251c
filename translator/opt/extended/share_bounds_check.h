// Shares one bounds check between two alternatives.
//
// Where a field accepts, or else a field a little further on is tested, as in `port 80`, the check
// for the bytes of the first also covers those of the second: a packet that is long enough for
// both, as nearly all are, passes one check instead of two. Sound because a packet that is too
// short for both continues on a copy of the path that tests the first field alone, under a check of
// its own. Test: tests/translator/opt/extended/share_bounds_check_test.cpp.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Bounds checks must directly precede their loads (sink_bounds_checks.h). O(values + edges).
void share_bounds_check(ir::Function& function);

}  // namespace weir::lower
