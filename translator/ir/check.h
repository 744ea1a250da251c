// The invariants of the IR, checked after every pass in tests and on request.
#pragma once

#include "cbpf/base/result.h"
#include "translator/ir/function.h"

namespace weir::ir {

// Verifies:
//  - every block ends in a terminator whose edges exist, go to later blocks, and carry one argument
//    for each parameter of their target; block 0 has no parameters; every block is reachable;
//  - every operand names a value that is defined before its use on every path (dominance);
//  - every value has the operands, width and k that its Op asks for; effects are nobody's operand;
//    constants are in no body and interned;
//  - every load is covered by needs on every path to it: by one with the same base, or, where it
//    follows from its computation that the base is at most n, by one from the packet's beginning
//    that reaches as far for n; every div or mod by a value is covered by guards of that value;
//  - sets are sorted, disjoint and merged; set tests name one and have its width; keys are used by
//    nothing else;
//  - switch cases are sorted, disjoint and name edges.
// kInvalidProgram naming the block and value in the text form's own numbers.
//
// Price: O(n log n), and for each value that is the base of a load or a divisor and is not covered
// in its own block, the blocks between the load and its needs.
Status check(const Function& function);

}  // namespace weir::ir
