// Several tests of one value as one.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Where tests of one value follow each other and lead to two places in all, and the numbers that
// lead to one of them are an interval, one test takes their place: `port >= 8000` and `port <=
// 8100` become `port - 8000 <= 100`, and a test whose answer the next one gives anyhow goes. The
// function's blocks must all be reachable. O(values + edges) for chains of a few tests.
void combine_range_tests(ir::Function& function);

}  // namespace weir::lower
