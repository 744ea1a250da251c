// Whether the hook keeps a VLAN tag for the packet, asked as late as it can be.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Where a filter rejects every packet with a tag and asks for the tag first, as restore_vlan_tag
// leaves most filters, only packets that it would accept are asked: what is rejected anyhow is
// rejected with a tag too, however it was read. Functions with several ways to accept stay as they
// are. O(blocks + values).
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
