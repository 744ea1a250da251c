// The passes, one function each; the file of the same name tells how it works. pass.h runs them.
#pragma once

#include "translator/ir/function.h"

namespace weir::opt {

// Makes one set test of many tests of one value that share a way out.
void chains_to_sets(ir::Function& function);

// Makes a switch of many tests of one value that lead to different places.
void chains_to_switches(ir::Function& function);

// Drops what changes nothing: blocks no way leads to, values and parameters nothing uses. Effects
// stay.
void dead_code(ir::Function& function);

// Computes what constants decide: arithmetic, guards, branches, and parameters that get the same
// value on every way that is left.
void fold_constants(ir::Function& function);

// Folds branches that earlier branches, ranges and known bits decide on every way there.
void facts(ir::Function& function);

// The same, and leads edges past blocks that are decided on them alone.
void jump_threading(ir::Function& function);

// Puts tests of one value that lead to one place next to each other.
void gather_tests(ir::Function& function);

// Lets the first need on a way ask for all that every way on from there to an accepting return asks
// for; drops needs and guards that are covered, and what cannot accept.
void merge_needs(ir::Function& function);

// Joins straight lines, passes blocks that only jump, and makes one of blocks that do the same.
void merge_blocks(ir::Function& function);

// Lets set tests share sets, also larger ones where what differs cannot come.
void share_sets(ir::Function& function);

// Moves values down into the one block below that they are needed in.
void sink(ir::Function& function);

// Shares values that compute the same with the first one on the way, simplifies them and the
// compares made of them, and drops what nothing uses.
void value_numbering(ir::Function& function);

}  // namespace weir::opt
