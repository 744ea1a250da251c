#include "xdp/kernel/interface.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "xdp/kernel/netlink.h"

namespace weir::xdp {
namespace {

tl::unexpected<Error> no_interface(const std::string& name) {
  return fail(ErrorCode::kNoInterface, fmt::format("no interface named '{}'", name));
}

}  // namespace

bool Interface::is_named(const std::string& wanted) const {
  return name == wanted ||
         std::find(other_names.begin(), other_names.end(), wanted) != other_names.end();
}

std::optional<Interface> parse_interface(const NetlinkMessage& message) {
  const auto header = message.header<ifinfomsg>();
  if (!header || message.type != RTM_NEWLINK) {
    return std::nullopt;
  }
  const Bytes attributes = message.attributes(sizeof(ifinfomsg));
  Interface found;
  found.index = static_cast<std::uint32_t>(header->ifi_index);
  found.hardware_type = header->ifi_type;
  found.name = text_attribute(attributes, IFLA_IFNAME);
  if (const auto names = find_attribute(attributes, IFLA_PROP_LIST)) {
    found.other_names = text_attributes(*names, IFLA_ALT_IFNAME);
  }
  const auto xdp = find_attribute(attributes, IFLA_XDP);
  const auto attached = xdp ? find_attribute(*xdp, IFLA_XDP_ATTACHED) : std::nullopt;
  if (!attached || attached->empty()) {
    return found;
  }
  found.native_program = u32_attribute(*xdp, IFLA_XDP_DRV_PROG_ID).value_or(0);
  found.generic_program = u32_attribute(*xdp, IFLA_XDP_SKB_PROG_ID).value_or(0);
  found.hardware_program = u32_attribute(*xdp, IFLA_XDP_HW_PROG_ID).value_or(0);
  return found;
}

Result<std::uint32_t> interface_index(const std::string& name) {
  if (const unsigned index = if_nametoindex(name.c_str()); index != 0) {
    return index;
  }
  // The C library does not look up names of 16 characters and more.
  return interface_named(name).map([](const Interface& found) { return found.index; });
}

Result<std::vector<Interface>> interfaces() {
  auto netlink = Netlink::open();
  if (!netlink) {
    return tl::make_unexpected(netlink.error());
  }
  ifinfomsg header{};
  NetlinkRequest request(RTM_GETLINK, NLM_F_DUMP, header);
  const NetlinkAnswer answer = netlink->ask(request);
  if (answer.error != 0) {
    return tl::make_unexpected(netlink_error("listing the interfaces", answer));
  }
  std::vector<Interface> all;
  for (const NetlinkMessage& message : answer.messages) {
    if (auto one = parse_interface(message)) {
      all.push_back(std::move(*one));
    }
  }
  std::sort(all.begin(), all.end(),
            [](const Interface& a, const Interface& b) { return a.index < b.index; });
  return all;
}

Result<Interface> attached_xdp(std::uint32_t index) {
  auto all = interfaces();
  if (!all) {
    return tl::make_unexpected(all.error());
  }
  const auto found =
      std::find_if(all->begin(), all->end(), [&](const Interface& i) { return i.index == index; });
  return found == all->end() ? Interface{} : *found;
}

std::uint64_t network_namespace() {
  struct stat status {};
  return stat("/proc/thread-self/ns/net", &status) == 0 ? status.st_ino : 0;
}

Result<Interface> interface_named(const std::string& name) {
  auto all = interfaces();
  if (!all) {
    return tl::make_unexpected(all.error());
  }
  const auto found =
      std::find_if(all->begin(), all->end(), [&](const Interface& i) { return i.is_named(name); });
  if (found == all->end()) {
    return no_interface(name);
  }
  return *found;
}

Result<std::uint32_t> interface_netmask(const std::string& name) {
  ifaddrs* addresses = nullptr;
  if (getifaddrs(&addresses) != 0) {
    return fail(ErrorCode::kSystem,
                std::string("the addresses of interfaces cannot be read: ") + std::strerror(errno));
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owned(addresses, freeifaddrs);
  for (const ifaddrs* at = addresses; at != nullptr; at = at->ifa_next) {
    const sockaddr* const mask = at->ifa_netmask;
    if (at->ifa_addr != nullptr && at->ifa_addr->sa_family == AF_INET && mask != nullptr &&
        name == at->ifa_name) {
      sockaddr_in ipv4{};
      std::memcpy(&ipv4, mask, sizeof ipv4);
      return ntohl(ipv4.sin_addr.s_addr);
    }
  }
  return 0;
}

}  // namespace weir::xdp
