// Sinks bounds checks to the first load that depends on them.
//
// Each check moves down past tests that would reject the packet anyway, as far as every accepting
// path still passes it: that is what makes it sound, since a check only decides between accepting
// and rejecting. A load still asks at once for all bytes that an earlier check covered, so what
// opt::merge_needs combined stays combined. Gain: fewer packets reach a check, and checks after
// different headers end up with their loads, where merge_tails finds them to be identical.
// Test: tests/translator/opt/extended/sink_bounds_checks_test.cpp.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// All blocks must be reachable, and bounds checks where opt::merge_needs leaves them.
// O(values + edges) for the few bases that are checked at a time.
void sink_bounds_checks(ir::Function& function);

}  // namespace weir::lower
