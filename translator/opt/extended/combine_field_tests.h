// Tests of neighbouring fields as one.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Joins two tests for equality or for bits, one behind the other, that reject to the same block and
// whose fields lie within four bytes: one load and one compare under a mask take their place, so
// that `ip[9] = 6` and `ip[6:2] & 0x1fff = 0` are one question. Only where the bytes in between are
// known to be there, so that short packets fare as before, and only fields that nothing else reads.
// It saves at least one instruction on the way on, and costs at most one where the first test
// fails. The function's blocks must all be reachable. O(values + edges).
void combine_field_tests(ir::Function& function);

}  // namespace weir::lower
