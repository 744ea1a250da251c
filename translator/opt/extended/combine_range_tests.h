// Combines consecutive tests of one value into a single range test.
//
//   branch ge v0, 8000 ? b1 : reject                v1 = sub v0, 8000
//   b1: branch gt v0, 8100 ? reject : accept   =>   branch gt v1, 100 ? reject : accept
//
// Sound where the chain has two destinations in all and the values that lead to one of them form an
// interval; a test whose outcome the next one implies is dropped. Gain: a compare for each test but
// one. Test: tests/translator/opt/extended/combine_range_tests_test.cpp.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// All blocks must be reachable. O(values + edges) for chains of a few tests.
void combine_range_tests(ir::Function& function);

}  // namespace weir::lower
