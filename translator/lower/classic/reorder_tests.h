// Questions about values that are at hand.
#pragma once

#include "translator/lower/classic/code.h"

namespace weir::lower::classic {

// Drops compares with a number that A has been compared with before, on every way, and was not.
// O(instructions).
void drop_repeated_compares(Code& code);

// A value that is put aside, or loaded again, until another one has been loaded and asked for,
// while one answer of either leads to the same return, is asked for at once. The load, which may
// end the filter, then stands on both ways, but before a return of 0:
//
//   st M[0]                        ask A, if it is a member: ld [30]; ret #262144
//   ld [30]                        ld [30]
//   ask A, if a member: accept     ask A, if a member: accept
//   ld M[0]
//   ask A, if a member: accept
//
// The code comes out shorter by an instruction or two, or is left as it is. Where the filter
// accepts it gives the same number for the same packets; only questions change places, which have
// no effects. O(instructions) for each such value, of which the first few are tried.
void reorder_tests(Code& code);

}  // namespace weir::lower::classic
