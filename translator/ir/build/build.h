// Classic program to IR.
#pragma once

#include "cbpf/base/result.h"
#include "cbpf/validate.h"
#include "translator/ir/build/set_tests.h"
#include "translator/ir/function.h"
#include "translator/ir/loops.h"

namespace weir::ir {

// Builds the function that gives the program's accept length for every packet, in the program's
// dialect; `loops` says what its backward jumps become. `link_type` (DLT_*) says where the
// network layer begins, for loads at kNetworkOffset in the Linux dialect.
//
// Only live parts of A, X and M[] become block parameters, so the result is pruned SSA; it is not
// optimised. O(n) for a program without loops.
//
// Where `tests` names an instruction, a set test stands in the place of its compare.
//
// kInvalidProgram when `tests` names what is no `jeq #k`. kUnsupported when the program unrolls to
// more than 2^20 instructions, or reads at kNetworkOffset on a link type whose header length is not
// fixed.
Result<Function> build(const cbpf::ValidatedProgram& program, int link_type,
                       const SetTests& tests = {}, const Loops& loops = {});

}  // namespace weir::ir
