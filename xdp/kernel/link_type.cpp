#include "xdp/kernel/link_type.h"

#include <fmt/format.h>
#include <net/if_arp.h>

#include <string>

#include "cbpf/compile.h"

namespace weir::xdp {
namespace {

constexpr int kLinkTypeRaw = 12;  // DLT_RAW on Linux.

// Of linux/if_arp.h, which the C library's header does not have.
constexpr std::uint16_t kTypeCan = 280;
constexpr std::uint16_t kTypeRawIp = 519;
constexpr std::uint16_t kTypeIp6Gre = 823;
constexpr std::uint16_t kTypeNetlink = 824;
constexpr std::uint16_t kTypeVsockMonitor = 826;
constexpr std::uint16_t kTypeNone = 0xfffe;

std::string type_name(std::uint16_t type) {
  switch (type) {
    case ARPHRD_IPGRE:
    case kTypeIp6Gre:
      return "a GRE tunnel";
    case ARPHRD_SIT:
      return "a SIT tunnel";
    case ARPHRD_INFINIBAND:
      return "an InfiniBand interface";
    case ARPHRD_IEEE80211:
    case ARPHRD_IEEE80211_PRISM:
    case ARPHRD_IEEE80211_RADIOTAP:
      return "an 802.11 monitor";
    case kTypeCan:
      return "a CAN bus";
    case kTypeNetlink:
      return "a netlink monitor";
    case kTypeVsockMonitor:
      return "a vsock monitor";
    default:
      return fmt::format("of hardware type {}", type);
  }
}

}  // namespace

Result<int> link_type(const Interface& interface) {
  switch (interface.hardware_type) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
      return cbpf::kLinkTypeEthernet;
    case ARPHRD_PPP:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case kTypeRawIp:
    case kTypeNone:
      return kLinkTypeRaw;
    default:
      return fail(ErrorCode::kUnsupported,
                  fmt::format("weir cannot filter '{}': it is {}, whose packets begin with neither "
                              "an Ethernet nor an IP header; attach to the Ethernet interface "
                              "that carries them, or give their link type with -y and --force",
                              interface.name, type_name(interface.hardware_type)));
  }
}

}  // namespace weir::xdp
