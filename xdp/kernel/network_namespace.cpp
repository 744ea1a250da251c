#include "xdp/kernel/network_namespace.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <fstream>

#include "xdp/kernel/capabilities.h"
#include "xdp/kernel/errors.h"
#include "xdp/kernel/interface.h"
#include "xdp/kernel/netlink.h"

namespace weir::xdp {
namespace {

// The largest with which a veth still takes XDP programs in one page (drivers/net/veth.c).
constexpr std::uint32_t kMtu = 3400;

void describe_interface(NetlinkRequest& request, const std::string& name) {
  request.attribute(IFLA_IFNAME, name);
  request.attribute(IFLA_MTU, kMtu);
}

Status ask(Netlink& netlink, NetlinkRequest& request, const std::string& what) {
  const NetlinkAnswer answer = netlink.ask(request);
  if (answer.error != 0) {
    return tl::make_unexpected(netlink_error(what, answer));
  }
  return {};
}

// Up, and asking nobody for addresses.
Status bring_up(Netlink& netlink, const std::string& name) {
  ifinfomsg header{};
  header.ifi_flags = IFF_UP | IFF_NOARP;
  header.ifi_change = IFF_UP | IFF_NOARP;
  NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, header);
  request.attribute(IFLA_IFNAME, name);
  return ask(netlink, request, "bringing " + name + " up");
}

}  // namespace

Result<PrivateNetwork> PrivateNetwork::enter() {
  Fd before(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!before.valid() || unshare(CLONE_NEWNET) < 0) {
    if (errno == EPERM) {
      return tl::make_unexpected(
          missing_privilege("making a network namespace", {Capability::kSysAdmin}));
    }
    return tl::make_unexpected(system_error("making a network namespace", errno));
  }
  // Interfaces that come up would speak IPv6 of themselves. Without IPv6 there is no such file.
  std::ofstream("/proc/sys/net/ipv6/conf/default/disable_ipv6") << "1";
  return PrivateNetwork(std::move(before));
}

PrivateNetwork::~PrivateNetwork() {
  if (before_.valid()) {
    setns(before_.get(), CLONE_NEWNET);
  }
}

Status PrivateNetwork::add_veth_pair(const std::string& name, const std::string& peer) {
  auto netlink = Netlink::open();
  if (!netlink) {
    return tl::make_unexpected(netlink.error());
  }
  const ifinfomsg header{};
  NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, header);
  describe_interface(request, name);
  const std::size_t info = request.begin_nest(IFLA_LINKINFO);
  request.attribute(IFLA_INFO_KIND, std::string("veth"));
  const std::size_t data = request.begin_nest(IFLA_INFO_DATA);
  const std::size_t other = request.begin_nest(VETH_INFO_PEER);
  request.raw(&header, sizeof header);
  describe_interface(request, peer);
  request.end_nest(other);
  request.end_nest(data);
  request.end_nest(info);
  if (auto made = ask(*netlink, request, "making the veth pair " + name); !made) {
    return made;
  }
  // A veth cannot come up before it has its peer.
  if (auto up = bring_up(*netlink, name); !up) {
    return up;
  }
  return bring_up(*netlink, peer);
}

Result<Fd> open_injector(const std::string& interface) {
  const auto index = interface_index(interface);
  if (!index) {
    return tl::make_unexpected(index.error());
  }
  const std::string what = "opening a packet socket on " + interface;
  Fd injector(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!injector.valid() && errno == EPERM) {
    return tl::make_unexpected(missing_privilege(what, {Capability::kNetRaw}));
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(*index);
  if (!injector.valid() ||
      bind(injector.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return tl::make_unexpected(system_error(what, errno));
  }
  return injector;
}

}  // namespace weir::xdp
