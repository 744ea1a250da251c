// Combines tests of neighbouring fields into one load and one compare under a mask.
//
//   b0: v0 = load 1 [23]                          b0: v0 = load 4 [20]
//       branch eq v0, 6 ? b1 : reject        =>       v1 = and v0, 0x1fff00ff
//   b1: v1 = load 2 [20]                              branch eq v1, 6 ? b2 : reject
//       branch set v1, 0x1fff ? reject : b2
//
// Sound only where the bytes between the fields are already known to be captured, so that a short
// packet is still rejected by the same check, and where nothing else reads the two fields. Gain: at
// least one instruction on the path that continues, at the price of at most one where the first
// test fails. Test: tests/translator/opt/extended/combine_field_tests_test.cpp.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Combines two consecutive tests, for equality or for bits, that reject to the same block and whose
// fields lie within four bytes. All blocks must be reachable. O(values + edges).
void combine_field_tests(ir::Function& function);

}  // namespace weir::lower
