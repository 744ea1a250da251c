// VLAN tags at XDP. An interface whose rx-vlan-offload is on takes the outer tag out of a frame
// before any XDP program sees it, and most drivers keep it for the network stack alone. On a veth
// it is the other end's tx-vlan-offload that leaves the tag out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "xdp/hooks/xdp_attach.h"
#include "xdp/kernel/interface.h"

namespace weir::xdp {

// What a program at XDP knows of the outer VLAN tag.
enum class VlanTags : std::uint8_t {
  kInPacket,    // The interface leaves tags in the packet.
  kFromDriver,  // It takes them out; the program calls bpf_xdp_metadata_rx_vlan_tag.
  kLost,        // It takes them out, and the program judges the packet without its tag.
};

// "in-packet", "from-driver", "lost".
std::string_view vlan_tags_name(VlanTags tags);

// Whether frames come to XDP without their tags: a veth, or rx-vlan-offload is on (ETHTOOL_GFLAGS
// of linux/ethtool.h). False where that cannot be asked.
bool strips_vlan_tags(const std::string& interface);

// What turns that off: "ethtool -K eth0 rxvlan off".
std::string keep_vlan_tags_command(const std::string& interface);

struct VlanTagAccess {
  VlanTags tags = VlanTags::kInPacket;
  // Of kFromDriver: the BTF id of bpf_xdp_metadata_rx_vlan_tag. The program is to be loaded for the
  // interface (LoadOptions::interface) and to be attached alone (XdpOptions::alone).
  std::int32_t kfunc = 0;
  // Of kLost: what would let an XDP program read the tags, besides that command: "--mode native".
  std::string way_out;
};

// How a program that is attached to the interface in this mode can know the tags of Ethernet
// frames: from the driver where the kernel has the function (Linux 6.8), the driver implements it
// (the generic netlink family "netdev" tells), the mode is native and no dispatcher of libxdp's is
// there, which cannot call such a program.
VlanTagAccess find_vlan_tag_access(const Interface& interface, XdpMode mode);

}  // namespace weir::xdp
