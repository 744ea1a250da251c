// Sinks the test for a stripped VLAN tag to the accepting path.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Where a filter rejects every packet that has a tag, and tests for the tag first, as
// restore_vlan_tag leaves most filters, the test moves to where a packet would be accepted. Sound
// because a packet that is rejected without the test is also rejected with it. Functions with
// several accepting blocks are left as they are. O(blocks + values).
// Test: tests/translator/opt/extended/sink_vlan_check_test.cpp.
//
//   b0: v0 = ancillary vlan_avail
//       branch eq v0, 0 ? b1 : reject           b0: jump b1
//   ...                                    =>   ...
//   b8: return 262144                           b8: v1 = ancillary vlan_avail
//                                                   branch eq v1, 0 ? b9 : b10
//                                               b9: return 262144
//                                              b10: return 0
void sink_vlan_check(ir::Function& function);

}  // namespace weir::lower
