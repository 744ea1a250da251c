// Shares set tests: identical tests of different values become one block.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower::classic {

// Where blocks end with the same set test and the same successors, and differ only in the values
// they test or pass on, one new block tests its parameters and they jump to it: `host in LIST`
// looks up the addresses of IP and of ARP, at other offsets, in the same list. The function is as
// make_canonical() leaves it, and stays so. True when it merged any. O(n) a round, a round for each
// test that follows another.
bool share_set_tests(ir::Function& function);

}  // namespace weir::lower::classic
