// Orders EtherType tests: IPv4 is compared first.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Where a filter compares the EtherType with another value, mostly IPv6, and then with IPv4, the
// two compares are exchanged and the IPv4 path follows directly. Sound because a value equals at
// most one of the two. Most packets then take one compare less and no jump, which matters where
// code is rarely in the first-level instruction cache. All blocks must be reachable. O(values +
// edges). Test: tests/translator/opt/extended/order_ethertype_tests_test.cpp.
//
//   b0: v0 = load 2 [12]                          b0: v0 = load 2 [12]
//       branch eq v0, 0x86dd ? six : b1     =>        branch eq v0, 0x800 ? four : b1
//   b1: branch eq v0, 0x800 ? four : reject       b1: branch eq v0, 0x86dd ? six : reject
void order_ethertype_tests(ir::Function& function);

}  // namespace weir::lower
