#include "tests/kernel/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <thread>

namespace weir::testing {
namespace {

struct Outcome {
  int status = -1;
  std::string output;
};

Outcome execute(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen(("exec 2>&1; " + command).c_str(), "r");
  if (pipe == nullptr) {
    return outcome;
  }
  std::array<char, 4096> buffer{};
  std::size_t count = 0;
  while ((count = fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
    outcome.output.append(buffer.data(), count);
  }
  outcome.status = pclose(pipe);
  return outcome;
}

void write_file(const char* path, const char* text) {
  std::ofstream file(path);
  file << text;
}

}  // namespace

// After both ends of a pair are up, the kernel opens their queues in its own time, and drops
// packets until then. It shows the interface running a moment before that, holding the lock that
// asking for the link state takes too: once that answers, the queues are open.
void wait_until_running(const std::string& interface) {
  const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  for (int tries = 0; tries < 400; ++tries) {
    if (ioctl(any.get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0) {
      ethtool_value link{};
      link.cmd = ETHTOOL_GLINK;
      request.ifr_data = reinterpret_cast<char*>(&link);
      EXPECT_EQ(ioctl(any.get(), SIOCETHTOOL, &request), 0) << interface;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ADD_FAILURE() << interface << " does not come up";
}

std::string run(const std::string& command) {
  const Outcome outcome = execute(command);
  EXPECT_EQ(outcome.status, 0) << command << ": " << outcome.output;
  return outcome.output;
}

std::string run_any(const std::string& command) { return execute(command).output; }

void ip(const std::vector<std::string>& commands) {
  std::string lines;
  for (const std::string& command : commands) {
    lines += command + "\n";
  }
  run("ip -batch - <<'END'\n" + lines + "END");
}

NetworkNamespace::NetworkNamespace() : before_(open("/proc/thread-self/ns/net", O_RDONLY)) {
  EXPECT_TRUE(before_.valid());
  EXPECT_EQ(unshare(CLONE_NEWNET), 0);
  // Neighbour discovery would send packets of its own.
  write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
  write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
  run("ip link set lo up");
}

NetworkNamespace::~NetworkNamespace() { EXPECT_EQ(setns(before_.get(), CLONE_NEWNET), 0); }

OnOneProcessor::OnOneProcessor() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  changed_ = sched_getaffinity(0, sizeof(before_), &before_) == 0 &&
             sched_setaffinity(0, sizeof(one), &one) == 0;
}

OnOneProcessor::~OnOneProcessor() {
  if (changed_) {
    sched_setaffinity(0, sizeof(before_), &before_);
  }
}

VethPair::VethPair(const std::string& name) : name_(name) {
  ip({"link add " + a() + " address 02:00:00:00:00:00 type veth peer name " + b() +
          " address 02:00:00:00:00:01",
      "link set " + a() + " up", "link set " + b() + " up"});
  wait_until_running(a());
  wait_until_running(b());
}

Bridge::Bridge(const std::string& name, const std::vector<std::string>& ports) : name_(name) {
  std::vector<std::string> commands = {"link add " + name_ + " type bridge mcast_snooping 0",
                                       "link set " + name_ + " up"};
  for (const std::string& port : ports) {
    commands.push_back("link set " + port + " master " + name_);
  }
  ip(commands);
}

Bridge::~Bridge() { run_any("ip link del " + name_); }

VethPair::~VethPair() { run_any("ip link del " + a()); }

PacketSocket::PacketSocket(const std::string& interface)
    : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
  EXPECT_TRUE(fd_.valid());
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  EXPECT_NE(address.sll_ifindex, 0) << interface;
  EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
}

void PacketSocket::send(Bytes frame) const {
  // A packet dropped at tc egress is told to the sender as ENOBUFS.
  const ssize_t sent = ::send(fd_.get(), frame.data(), frame.size(), 0);
  EXPECT_TRUE(sent == static_cast<ssize_t>(frame.size()) || (sent < 0 && errno == ENOBUFS))
      << std::strerror(errno);
}

std::optional<std::vector<std::uint8_t>> PacketSocket::receive(int timeout_ms) const {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) != 1) {
      return std::nullopt;
    }
    std::vector<std::uint8_t> bytes(65536);
    sockaddr_ll from{};
    socklen_t size = sizeof(from);
    const ssize_t count = recvfrom(fd_.get(), bytes.data(), bytes.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from), &size);
    if (count >= 0 && from.sll_pkttype != PACKET_OUTGOING) {
      bytes.resize(static_cast<std::size_t>(count));
      return bytes;
    }
  }
}

std::vector<std::uint8_t> frame(std::uint16_t ether_type, std::size_t length, std::uint8_t fill) {
  std::vector<std::uint8_t> bytes = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 0};
  bytes.push_back(static_cast<std::uint8_t>(ether_type >> 8));
  bytes.push_back(static_cast<std::uint8_t>(ether_type));
  bytes.resize(std::max<std::size_t>(length, bytes.size()), fill);
  return bytes;
}

std::uint16_t ether_type(Bytes frame) {
  return frame.size() < ETH_HLEN ? std::uint16_t{0}
                                 : static_cast<std::uint16_t>(load_be16(frame.data() + 12));
}

std::vector<std::uint16_t> pass_through(const PacketSocket& from, const PacketSocket& to,
                                        const std::vector<std::vector<std::uint8_t>>& frames) {
  {
    const OnOneProcessor pinned;
    for (const auto& bytes : frames) {
      from.send(bytes);
    }
    from.send(frame(kSentinel));
  }
  std::vector<std::uint16_t> types;
  for (;;) {
    const auto received = to.receive();
    if (!received) {
      ADD_FAILURE() << "the sentinel did not come";
      return types;
    }
    if (ether_type(*received) == kSentinel) {
      return types;
    }
    types.push_back(ether_type(*received));
  }
}

}  // namespace weir::testing
