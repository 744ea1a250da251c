// The invariants of the IR, checked after every pass in tests and on request.
#pragma once

#include "cbpf/base/result.h"
#include "translator/ir/function.h"

namespace weir::ir {

// Verifies, in O(n log n) at most:
//  - every block ends in a terminator whose edges exist, go to later blocks, and carry one argument
//    for each parameter of their target; block 0 has no parameters; every block is reachable;
//  - every operand names a value that is defined before its use on every path (dominance);
//  - every value has the operands, width and k that its Op asks for; effects are nobody's operand;
//  - every load is covered by needs on every path to it; every div or mod by a value by a guard;
//  - switch cases are sorted, disjoint and name edges.
// kInvalidProgram naming the block and value in the text form's own numbers.
Status check(const Function& function);

}  // namespace weir::ir
