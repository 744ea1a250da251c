// The link type of the packets that programs see at an interface's hooks.
#pragma once

#include "cbpf/base/result.h"
#include "xdp/kernel/interface.h"

namespace weir::xdp {

// The DLT_* number of the packets as programs at XDP and tc see them: EN10MB for Ethernet and
// loopback, RAW where packets begin with the IP header (tun, WireGuard, PPP, IP in IP). The cooked
// headers that libpcap captures on some of these exist on a packet socket only.
//
// kUnsupported, naming the interface and its type, for every other type: its packets begin with a
// header that no expression is compiled for here, or (GRE, SIT) with one that depends on the
// direction.
//
// Source: ARPHRD_* of linux/if_arp.h; where each driver sets skb->mac_header before the packet
// reaches the stack.
Result<int> link_type(const Interface& interface);

}  // namespace weir::xdp
