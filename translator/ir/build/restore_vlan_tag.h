// One verdict for tagged frames: the VLAN tag back in its place.
//
// Linux takes the outer VLAN tag out of a received frame before socket filters and tc see it, and
// keeps it beside the packet. A filter means the frame as it was on the wire (and as XDP and a
// savefile have it): two bytes of tag type at 12, two of tag control information at 14, everything
// else from 12 on four bytes further behind.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower {

// Returns a function that asks first whether the hook keeps a tag for the packet. If not, it is
// `function`. If so, it is `function` as it would run on the frame with the tag in its place: bytes
// 12 to 15 come from the extensions vlan_tpid and vlan_tci, offsets from 16 on move down by 4 (for
// an offset that is only known at run time this is decided there), needs move with them, and the
// length is 4 more.
//
// A tag type that the kernel takes out is 0x8100 or 0x88a8 (eth_type_vlan of linux/if_vlan.h), so
// compares of bytes 12 and 13 with other numbers are decided here: of a filter like `tcp port 80`
// nothing is left of the second copy but a return of 0.
//
// A frame whose tag was taken out has its 12 bytes of addresses; only on shorter ones, which no
// hook sees, a need of a varying number of bytes up to 15 would be read too strictly.
//
// Functions of other link types than Ethernet, and functions that read vlan_avail, vlan_tci or
// vlan_tpid themselves (they were written for the packet as the hook has it), come back as they
// are. O(n), but 16 blocks a load at a varying offset plus less than 16.
ir::Function restore_vlan_tag(const ir::Function& function);

}  // namespace weir::lower
