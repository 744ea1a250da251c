// The order of tests: first what tells most of the packets apart.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Filters ask for the EtherType first and then for a field behind it, such as the protocol, that
// stands in the same few bytes whatever the EtherType is. Here the field comes first: a packet that
// would fail there is rejected without its EtherType having been read, and one that passes has
// both read as before. With `port 53` of UDP among TCP traffic that is one read instead of two.
//
//   b0: need 24                                  b0: need 24
//       v0 = load 2 [12]                             v1 = load 1 [20]
//       branch eq v0, 0x86dd ? b1 : b2               branch eq v1, 17 ? b1 : b2
//   b1: v1 = load 1 [20]                         b1: v0 = load 2 [12]
//       branch eq v1, 17 ? six : reject    =>        branch eq v0, 0x86dd ? six : b2
//   b2: branch eq v0, 0x800 ? b3 : reject        b2: v2 = load 1 [23]
//   b3: v2 = load 1 [23]                             branch eq v2, 17 ? b3 : reject
//       branch eq v2, 17 ? four : reject         b3: v3 = load 2 [12]
//                                                    branch eq v3, 0x800 ? four : reject
//
// This is done once a function, at the first place where everything that would be read earlier is
// known to be there and lies in eight bytes, so that one read can serve for it, and where what was
// asked for first does not lie in the same eight. The function's blocks must all be reachable.
// O(values + edges).
void hoist_selective_test(ir::Function& function);

}  // namespace weir::lower
