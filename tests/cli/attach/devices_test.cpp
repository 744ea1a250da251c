// Attach, count, show, detach on the kinds of device that users have, as far as the kernel has
// them: this machine's has few, the second kernel all. What cannot carry a program says so and
// names what can.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/cli/attach/standing.h"
#include "tests/cli/cli.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/kernel/tun.h"

namespace weir::cli {
namespace {

using nlohmann::json;
using testing::NetworkNamespace;
using testing::PacketSocket;
using testing::VethPair;

using Packet = std::vector<std::uint8_t>;
using Words = std::vector<std::string>;
// Makes one UDP packet to that port pass the device.
using Traffic = std::function<void(std::uint16_t)>;

constexpr int kMatching = 5;
constexpr int kOther = 3;

// Makes the device; false where the kernel has no such kind.
bool add_device(const std::string& arguments) {
  const std::string said = testing::run_any("ip link add " + arguments);
  const bool has = said.find("Unknown device type") == std::string::npos &&
                   said.find("Operation not supported") == std::string::npos;
  if (has) {
    EXPECT_EQ(said, "") << arguments;
  }
  return has;
}

#define WEIR_NEEDS_KIND(arguments)                                         \
  do {                                                                     \
    if (!add_device(arguments)) {                                          \
      EXPECT_EQ(getenv("WEIR_SECOND_KERNEL"), nullptr) << "no " arguments; \
      GTEST_SKIP() << "this kernel has no " arguments;                     \
    }                                                                      \
  } while (false)

const Words kHooks[] = {{"--hook", "xdp", "--mode", "native"},
                        {"--hook", "xdp", "--mode", "generic"},
                        {"--hook", "tc"},
                        {"--hook", "tc-egress"}};

// At each hook of the device: what attaches counts exactly, drops where it is told to, and leaves
// nothing; what does not names other hooks. Returns how many attach.
int try_hooks(const std::string& device, const std::string& link_type, const Traffic& in,
              const Traffic& out) {
  int attached = 0;
  for (const Words& hook : kHooks) {
    SCOPED_TRACE(device + " " + hook.back());
    Words attach = {"attach", "-i", device, "--drop", "udp dst port 1900"};
    attach.insert(attach.end(), hook.begin(), hook.end());
    const Answer answer = weir(attach);
    if (answer.status != 0) {
      EXPECT_EQ(answer.status, 1);
      EXPECT_NE(answer.err.find("--hook tc works"), std::string::npos) << answer.err;
      EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"].size(), 0U);
      continue;
    }
    ++attached;
    EXPECT_EQ(only_program(weir({"show", "-j", device}))["link_type"], link_type);
    if (const Traffic& traffic = hook.back() == "tc-egress" ? out : in) {
      for (int i = 0; i < kMatching; ++i) {
        traffic(1900);
      }
      for (int i = 0; i < kOther; ++i) {
        traffic(1901);
      }
      const json stats = counted(device, kMatching + kOther);
      EXPECT_EQ(stats["match"]["packets"], kMatching);
      EXPECT_EQ(stats["no_match"]["packets"], kOther);
    }
    EXPECT_EQ(weir({"detach", device}).status, 0);
    EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"].size(), 0U);
    EXPECT_EQ(testing::run("tc qdisc show dev " + device).find("clsact"), std::string::npos);
  }
  return attached;
}

// What the first interface of the pair sends arrives at the other, for the device on it.
Traffic over(const PacketSocket& socket, const Packet& to, std::uint16_t tag = 0) {
  return [&socket, to, tag](std::uint16_t port) {
    socket.send(testing::in_ethernet(testing::udp_packet(port), to, tag));
  };
}

// A datagram to a neighbour behind the device, which leaves through it whatever becomes of it.
Traffic through(const std::string& device, const std::string& neighbour_address) {
  testing::ip({"addr add 10.7.0.1/24 dev " + device});
  if (!neighbour_address.empty()) {
    testing::ip({"neigh add 10.7.0.2 lladdr " + neighbour_address + " dev " + device});
  }
  return [](std::uint16_t port) {
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(0x0a070002);
    // A tunnel without a peer says so; the filter has seen the packet by then.
    (void)sendto(socket.get(), "", 0, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  };
}

const Packet kEveryone(6, 0xff);
constexpr char kNeighbour[] = "02:00:00:00:00:77";

TEST(AttachDevices, Dummy) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  WEIR_NEEDS_KIND("weird9 type dummy");
  testing::ip({"link set weird9 up"});
  EXPECT_GE(try_hooks("weird9", "EN10MB", {}, through("weird9", kNeighbour)), 3);
}

TEST(AttachDevices, Bond) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  WEIR_NEEDS_KIND("weird9 type bond mode active-backup miimon 10");
  const VethPair pair;
  testing::ip({"link set " + pair.b() + " down", "link set " + pair.b() + " master weird9",
               "link set weird9 up"});
  testing::wait_until_running("weird9");
  const PacketSocket socket(pair.a());
  EXPECT_EQ(try_hooks("weird9", "EN10MB", over(socket, kEveryone), through("weird9", kNeighbour)),
            4);
}

TEST(AttachDevices, Vlan) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  WEIR_NEEDS_KIND("link weir1 name weird9 type vlan id 100");
  testing::ip({"link set weird9 up"});
  const PacketSocket socket(pair.a());
  EXPECT_GE(
      try_hooks("weird9", "EN10MB", over(socket, kEveryone, 100), through("weird9", kNeighbour)),
      3);
}

TEST(AttachDevices, Macvlan) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  WEIR_NEEDS_KIND("link weir1 name weird9 address 02:00:00:00:00:09 type macvlan mode bridge");
  testing::ip({"link set weird9 up"});
  const PacketSocket socket(pair.a());
  EXPECT_GE(try_hooks("weird9", "EN10MB", over(socket, {2, 0, 0, 0, 0, 9}),
                      through("weird9", kNeighbour)),
            3);
}

std::uint8_t high(std::size_t value) { return static_cast<std::uint8_t>(value >> 8); }
std::uint8_t low(std::size_t value) { return static_cast<std::uint8_t>(value); }

// A frame in VXLAN, UDP and IPv4, from 10.8.0.1 to 10.8.0.2, of network 7 (RFC 7348).
Packet in_vxlan(const Packet& frame) {
  const std::size_t udp = 8 + 8 + frame.size();
  const std::size_t all = 20 + udp;
  Packet packet = {0x45, 0, high(all), low(all), 0, 0, 0,  0, 64, 17,
                   0,    0, 10,        8,        0, 1, 10, 8, 0,  2};
  std::size_t sum = 0;
  for (std::size_t i = 0; i < 20; i += 2) {
    sum += static_cast<std::size_t>(packet[i] << 8 | packet[i + 1]);
  }
  const std::size_t checksum = ~((sum & 0xffff) + (sum >> 16));
  packet[10] = high(checksum);
  packet[11] = low(checksum);
  packet.insert(packet.end(), {0x30, 0x39, high(4789), low(4789), high(udp), low(udp), 0, 0});
  packet.insert(packet.end(), {8, 0, 0, 0, 0, 0, 7, 0});
  packet.insert(packet.end(), frame.begin(), frame.end());
  return packet;
}

TEST(AttachDevices, Vxlan) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  testing::ip({"addr add 10.8.0.2/24 dev " + pair.b()});
  WEIR_NEEDS_KIND("weird9 type vxlan id 7 dstport 4789 local 10.8.0.2 remote 10.8.0.1");
  testing::ip({"link set weird9 up"});
  const PacketSocket socket(pair.a());
  const Traffic in = [&](std::uint16_t port) {
    const Packet inner = testing::in_ethernet(testing::udp_packet(port), kEveryone);
    socket.send(testing::in_ethernet(in_vxlan(inner), {2, 0, 0, 0, 0, 1}));
  };
  EXPECT_GE(try_hooks("weird9", "EN10MB", in, through("weird9", kNeighbour)), 3);
}

// Nothing arrives without a peer that has the keys; native XDP is for Ethernet.
TEST(AttachDevices, Wireguard) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  WEIR_NEEDS_KIND("weird9 type wireguard");
  testing::ip({"link set weird9 up"});
  EXPECT_GE(try_hooks("weird9", "RAW", {}, through("weird9", "")), 3);
}

// The card of the second kernel's guest, whose other end is the emulator: it answers for 10.0.2.2.
TEST(AttachDevices, Virtio) {
  WEIR_NEEDS_KERNEL();
  if (getenv("WEIR_SECOND_KERNEL") == nullptr) {
    GTEST_SKIP() << "a card of this machine is not the tests'";
  }
  testing::ip({"link set eth0 up", "addr add 10.0.2.15/24 dev eth0"});
  testing::wait_until_running("eth0");
  const auto requests = [](const std::string& target) {
    testing::run_any("busybox arping -c 2 -w 8 -I eth0 " + target);
  };
  int attached = 0;
  for (const Words& hook : kHooks) {
    SCOPED_TRACE(hook.back());
    Words attach = {"attach", "-i", "eth0", "--count", "arp"};
    attach.insert(attach.end(), hook.begin(), hook.end());
    const Answer answer = weir(attach);
    ASSERT_EQ(answer.status, 0) << answer.err;
    ++attached;
    requests("10.0.2.2");
    EXPECT_GE(counted("eth0", 2)["match"]["packets"], 2);
    EXPECT_EQ(weir({"detach", "eth0"}).status, 0);
  }
  EXPECT_EQ(attached, 4);
  testing::ip({"addr flush dev eth0", "link set eth0 down"});
}

}  // namespace
}  // namespace weir::cli
