// IPv4 before all other EtherTypes.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Where a filter asks whether the EtherType is another one, mostly IPv6, and then whether it is
// IPv4, the two questions change places, and what is done with IPv4 comes to stand right behind:
// most packets then meet one compare less and run straight on, which counts where a program's code
// is seldom in the cache nearest to the processor. The function's blocks must all be reachable.
// O(values + edges).
//
//   b0: v0 = load 2 [12]                          b0: v0 = load 2 [12]
//       branch eq v0, 0x86dd ? six : b1     =>        branch eq v0, 0x800 ? four : b1
//   b1: branch eq v0, 0x800 ? four : reject       b1: branch eq v0, 0x86dd ? six : reject
void order_ethertype_tests(ir::Function& function);

}  // namespace weir::lower
