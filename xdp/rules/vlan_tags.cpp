#include "xdp/rules/vlan_tags.h"

#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>

#include "cbpf/base/fd.h"
#include "xdp/hooks/dispatcher.h"
#include "xdp/kernel/netlink.h"
#include "xdp/kernel/skb_layout.h"

namespace weir::xdp {
namespace {

// linux/netdev.h (Linux 6.3, the metadata since 6.7).
constexpr std::uint8_t kNetdevDeviceGet = 1;          // NETDEV_CMD_DEV_GET
constexpr std::uint16_t kNetdevInterface = 1;         // NETDEV_A_DEV_IFINDEX
constexpr std::uint16_t kNetdevXdpRxMetadata = 5;     // NETDEV_A_DEV_XDP_RX_METADATA_FEATURES
constexpr std::uint64_t kNetdevReportsVlanTag = 0x4;  // NETDEV_XDP_RX_METADATA_VLAN_TAG

genlmsghdr generic_header(std::uint8_t command) {
  genlmsghdr header{};
  header.cmd = command;
  header.version = 1;
  return header;
}

// The number of the family in this kernel, if it has the family.
std::optional<std::uint16_t> generic_family(Netlink& netlink, const std::string& name) {
  NetlinkRequest request(GENL_ID_CTRL, NLM_F_ACK, generic_header(CTRL_CMD_GETFAMILY));
  request.attribute(CTRL_ATTR_FAMILY_NAME, name);
  const NetlinkAnswer answer = netlink.ask(request);
  for (const NetlinkMessage& message : answer.messages) {
    const auto id = find_attribute(message.attributes(sizeof(genlmsghdr)), CTRL_ATTR_FAMILY_ID);
    std::uint16_t number = 0;
    if (id && id->size() >= sizeof(number)) {
      std::memcpy(&number, id->data(), sizeof(number));
      return number;
    }
  }
  return std::nullopt;
}

// Whether the driver of the interface implements bpf_xdp_metadata_rx_vlan_tag.
bool driver_reports_vlan_tags(std::uint32_t interface) {
  auto netlink = Netlink::open(NETLINK_GENERIC);
  if (!netlink) {
    return false;
  }
  const auto family = generic_family(*netlink, "netdev");
  if (!family) {
    return false;
  }
  NetlinkRequest request(*family, NLM_F_ACK, generic_header(kNetdevDeviceGet));
  request.attribute(kNetdevInterface, interface);
  const NetlinkAnswer answer = netlink->ask(request);
  for (const NetlinkMessage& message : answer.messages) {
    const auto features =
        find_attribute(message.attributes(sizeof(genlmsghdr)), kNetdevXdpRxMetadata);
    std::uint64_t bits = 0;
    if (features && features->size() >= sizeof(bits)) {
      std::memcpy(&bits, features->data(), sizeof(bits));
      return (bits & kNetdevReportsVlanTag) != 0;
    }
  }
  return false;
}

// Fills in an answer of the driver's; `command` begins with its number (linux/ethtool.h).
bool ethtool(const std::string& interface, void* command) {
  const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  if (!any.valid() || interface.size() >= sizeof(request.ifr_name)) {
    return false;
  }
  std::memcpy(request.ifr_name, interface.c_str(), interface.size() + 1);
  request.ifr_data = static_cast<char*>(command);
  return ioctl(any.get(), SIOCETHTOOL, &request) == 0;
}

bool is_veth(const std::string& interface) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  return ethtool(interface, &info) && std::strncmp(info.driver, "veth", sizeof(info.driver)) == 0;
}

}  // namespace

std::string_view vlan_tags_name(VlanTags tags) {
  switch (tags) {
    case VlanTags::kInPacket:
      return "in-packet";
    case VlanTags::kFromDriver:
      return "from-driver";
    case VlanTags::kLost:
      return "lost";
  }
  return {};
}

bool strips_vlan_tags(const std::string& interface) {
  ethtool_value flags{};
  flags.cmd = ETHTOOL_GFLAGS;
  return is_veth(interface) || (ethtool(interface, &flags) && (flags.data & ETH_FLAG_RXVLAN) != 0);
}

std::string keep_vlan_tags_command(const std::string& interface) {
  return is_veth(interface) ? "ethtool -K PEER txvlan off (at its other end)"
                            : "ethtool -K " + interface + " rxvlan off";
}

VlanTagAccess find_vlan_tag_access(const Interface& interface, XdpMode mode) {
  if (!strips_vlan_tags(interface.name)) {
    return {};
  }
  VlanTagAccess access{.tags = VlanTags::kLost};
  const std::int32_t kfunc = driver_reports_vlan_tags(interface.index)
                                 ? find_kernel_function("bpf_xdp_metadata_rx_vlan_tag")
                                 : 0;
  const bool dispatcher = interface.native_program != 0 && is_dispatcher(interface.native_program);
  if (kfunc == 0) {
    access.way_out = "Linux 6.8 or later with a driver that tells XDP programs the tag";
  } else if (mode != XdpMode::kNative) {
    access.way_out = "--mode native";
  } else if (dispatcher) {
    access.way_out = "detaching the programs of libxdp's dispatcher first";
  } else {
    access = {.tags = VlanTags::kFromDriver, .kfunc = kfunc};
  }
  return access;
}

}  // namespace weir::xdp
