// Long questions that are asked of several values, once.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower::classic {

// Where blocks end with the same set test and go the same ways, and only the values differ that
// they test or hand on, one new block asks, with the values as its parameters, and they jump to it:
// `host in LIST` looks for the addresses of IP and of ARP at other offsets in the same list. The
// function is as make_canonical() leaves it, and stays so. True when it merged any. O(n) a round,
// a round for each test that follows another.
bool share_set_tests(ir::Function& function);

}  // namespace weir::lower::classic
