#include "xdp/private_network.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

namespace weir::xdp {
namespace {

// The largest with which a veth still takes XDP programs in one page (drivers/net/veth.c).
constexpr std::uint32_t kMtu = 3400;

tl::unexpected<Error> system_failure(const std::string& what) {
  const ErrorCode code = errno == EPERM ? ErrorCode::kPermission : ErrorCode::kSystem;
  return fail(code, what + ": " + std::strerror(errno));
}

// A netlink message under construction; nested attributes close in the order they opened.
class Message {
 public:
  Message(std::uint16_t type, std::uint16_t flags) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = flags;
    append(&header, sizeof header);
  }
  void append(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    bytes_.insert(bytes_.end(), bytes, bytes + size);
    bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
  }
  std::size_t open(std::uint16_t type) {
    const std::size_t at = bytes_.size();
    const rtattr attribute{.rta_len = 0, .rta_type = type};
    append(&attribute, sizeof attribute);
    return at;
  }
  void close(std::size_t at) {
    const auto length = static_cast<std::uint16_t>(bytes_.size() - at);
    std::memcpy(bytes_.data() + at, &length, sizeof length);
  }
  void add(std::uint16_t type, const void* data, std::size_t size) {
    const std::size_t at = open(type);
    const auto length = static_cast<std::uint16_t>(sizeof(rtattr) + size);
    append(data, size);
    std::memcpy(bytes_.data() + at, &length, sizeof length);
  }
  const std::vector<std::uint8_t>& finish() {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof length);
    return bytes_;
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

void describe_interface(Message& message, const std::string& name) {
  message.add(IFLA_IFNAME, name.c_str(), name.size() + 1);
  message.add(IFLA_MTU, &kMtu, sizeof kMtu);
}

// Sends the request and waits for the kernel's acknowledgement.
Status request(Message& message, const std::string& what) {
  const Fd netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!netlink.valid()) {
    return system_failure(what);
  }
  const std::vector<std::uint8_t>& bytes = message.finish();
  if (send(netlink.get(), bytes.data(), bytes.size(), 0) < 0) {
    return system_failure(what);
  }
  alignas(nlmsghdr) char answer[4096];
  const ssize_t n = recv(netlink.get(), answer, sizeof answer, 0);
  if (n < static_cast<ssize_t>(sizeof(nlmsghdr) + sizeof(int))) {
    return system_failure(what);
  }
  int error = 0;
  std::memcpy(&error, answer + sizeof(nlmsghdr), sizeof error);
  if (error != 0) {
    errno = -error;
    return system_failure(what);
  }
  return {};
}

Status bring_up(const std::string& name) {
  const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq interface {};
  name.copy(interface.ifr_name, IFNAMSIZ - 1);
  interface.ifr_flags = IFF_UP | IFF_RUNNING | IFF_NOARP;
  if (!any.valid() || ioctl(any.get(), SIOCSIFFLAGS, &interface) < 0) {
    return system_failure("bringing " + name + " up");
  }
  return {};
}

}  // namespace

Result<PrivateNetwork> PrivateNetwork::enter() {
  Fd before(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!before.valid() || unshare(CLONE_NEWNET) < 0) {
    return system_failure("making a network namespace");
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
  Message message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  const ifinfomsg any{};
  message.append(&any, sizeof any);
  describe_interface(message, name);
  const std::size_t info = message.open(IFLA_LINKINFO);
  message.add(IFLA_INFO_KIND, "veth", 4);
  const std::size_t data = message.open(IFLA_INFO_DATA);
  const std::size_t other = message.open(VETH_INFO_PEER);
  message.append(&any, sizeof any);
  describe_interface(message, peer);
  message.close(other);
  message.close(data);
  message.close(info);
  if (auto made = request(message, "making the veth pair " + name); !made) {
    return made;
  }
  if (auto up = bring_up(name); !up) {
    return up;
  }
  return bring_up(peer);
}

Result<Fd> open_injector(const std::string& interface) {
  Fd injector(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!injector.valid()) {
    return system_failure("opening a packet socket");
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0) {
    return fail(ErrorCode::kNoInterface, "no interface is named '" + interface + "'");
  }
  if (bind(injector.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return system_failure("binding a packet socket to " + interface);
  }
  return injector;
}

}  // namespace weir::xdp
