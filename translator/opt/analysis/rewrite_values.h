// Rewrites a function's values from their classes: the core of value numbering, and what repairs
// every use after a pass has redirected edges.
#pragma once

#include "translator/ir/function.h"
#include "translator/opt/analysis/value_classes.h"

namespace weir::opt {

// Walks the dominator tree. A value whose class has one already on every way here is replaced by
// that one; a use of a class that has none here gets one, made just before it, whether or not the
// value that was used stands where it should. Places, guards and compares come into the normal form
// that ValueClasses gives; where a need or a guard can be seen to fail, its block ends.
//
// `expressions` are the function's, made before its edges were changed. Every use must be of a
// class that can be computed there: its parameters reach it, and what its loads read is covered.
// O(values), and for each value made anew, what it is computed from.
void rewrite_values(ir::Function& function, ValueClasses& expressions);

}  // namespace weir::opt
