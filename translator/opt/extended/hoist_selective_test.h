// Hoists the more selective of two tests: a protocol field is tested before the EtherType.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Filters test the EtherType first and then a field after it, such as the protocol, at an offset
// that does not depend on the EtherType. Testing the field first rejects most packets without
// reading their EtherType; a packet that passes has both tested, as before, which is why the order
// does not matter to the verdict. With `port 53` on TCP traffic that is one load instead of two.
// Test: tests/translator/opt/extended/hoist_selective_test_test.cpp.
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
// Done once in a function, at the first place where all bytes that would be read earlier are known
// to be captured and lie within eight bytes, so that one load can serve all of them, and where the
// test that came first does not lie in the same eight. All blocks must be reachable.
// O(values + edges).
void hoist_selective_test(ir::Function& function);

}  // namespace weir::lower
