// Filters are compiled for the link type of the interface they are attached to, whatever it is.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/cli/attach/standing.h"
#include "tests/cli/cli.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/kernel/tun.h"

namespace weir::cli {
namespace {

using nlohmann::json;
using testing::NetworkNamespace;
using testing::TunInterface;
using testing::TunKind;

#define WEIR_NEEDS_TUN()                                               \
  do {                                                                 \
    WEIR_NEEDS_KERNEL();                                               \
    if (!TunInterface::available()) GTEST_SKIP() << "no /dev/net/tun"; \
  } while (false)

constexpr int kMatching = 5;
constexpr int kOther = 3;

using Words = std::vector<std::string>;

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Attaches, lets `send` make packets of UDP to that port, and expects the rule to tell them apart.
template <typename Send>
void expect_filtered(const std::string& interface, const Words& hook, const std::string& action,
                     const std::string& link_type, const Send& send) {
  SCOPED_TRACE(hook.back());
  const Answer attached =
      weir(Words{"attach", "-i", interface, action, "udp dst port 1900"} + hook);
  ASSERT_EQ(attached.status, 0) << attached.err;
  EXPECT_EQ(only_program(weir({"show", "-j", interface}))["link_type"], link_type);
  for (int i = 0; i < kMatching; ++i) {
    send(1900);
  }
  for (int i = 0; i < kOther; ++i) {
    send(1901);
  }
  const json stats = counted(interface, kMatching + kOther);
  EXPECT_EQ(stats["match"]["packets"], kMatching);
  EXPECT_EQ(stats["no_match"]["packets"], kOther);
  EXPECT_EQ(weir({"detach", interface}).status, 0);
}

void send_to(std::uint32_t address, std::uint16_t port) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(address);
  EXPECT_EQ(sendto(socket.get(), "", 0, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
}

const Words kGeneric = {"--mode", "generic"};
const Words kNative = {"--mode", "native"};
const Words kTc = {"--hook", "tc"};
const Words kEgress = {"--hook", "tc-egress"};

TEST(AttachLinkType, OfTunIsRaw) {
  WEIR_NEEDS_TUN();
  const NetworkNamespace network;
  const TunInterface tun("tun9", TunKind::kTun);
  const auto receive = [&](std::uint16_t port) { tun.receive(testing::udp_packet(port)); };
  expect_filtered(tun.name(), kGeneric, "--drop", "RAW", receive);
  expect_filtered(tun.name(), kTc, "--drop", "RAW", receive);
  testing::run("ip addr add 10.9.0.1/24 dev tun9");
  expect_filtered(tun.name(), kEgress, "--count", "RAW",
                  [](std::uint16_t port) { send_to(0x0a090002, port); });
}

TEST(AttachNative, ThatTheDriverRefusesNamesOtherHooks) {
  WEIR_NEEDS_TUN();
  const NetworkNamespace network;
  const TunInterface tun("tun9", TunKind::kTun);
  const testing::VethPair pair;
  testing::ip({"link set " + pair.a() + " mtu 9000"});
  for (const std::string& interface : {tun.name(), pair.b()}) {
    const Answer refused = weir({"attach", "-i", interface, "--count", "ip"});
    EXPECT_EQ(refused.status, 1) << interface;
    EXPECT_NE(refused.err.find("; --mode generic or --hook tc works without"), std::string::npos)
        << refused.err;
    for (const Words& hook : {kGeneric, kTc}) {
      EXPECT_EQ(weir(Words{"attach", "-i", interface, "--count", "ip"} + hook).status, 0);
    }
    EXPECT_EQ(weir({"detach", interface}).status, 0);
  }
}

TEST(AttachLinkType, OfTapIsEthernet) {
  WEIR_NEEDS_TUN();
  const NetworkNamespace network;
  const TunInterface tap("tap9", TunKind::kTap);
  const auto receive = [&](std::uint16_t port) {
    tap.receive(testing::in_ethernet(testing::udp_packet(port)));
  };
  for (const Words& hook : {kNative, kGeneric, kTc}) {
    expect_filtered(tap.name(), hook, "--drop", "EN10MB", receive);
  }
}

TEST(AttachLinkType, OfLoopbackIsEthernet) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  // Where a socket takes them the kernel answers with no packets of its own.
  const Fd open(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(1901);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(open.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  for (const Words& hook : {kGeneric, kTc}) {
    expect_filtered("lo", hook, "--drop", "EN10MB",
                    [](std::uint16_t port) { send_to(INADDR_LOOPBACK, port); });
  }
}

TEST(AttachLinkType, OfABridgeIsEthernet) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const testing::VethPair pair;
  const testing::Bridge bridge("br9", {pair.b()});
  const testing::PacketSocket socket(pair.a());
  const auto send = [&](std::uint16_t port) {
    socket.send(testing::in_ethernet(testing::udp_packet(port)));
  };
  for (const Words& hook : {kGeneric, kTc}) {
    expect_filtered("br9", hook, "--drop", "EN10MB", send);
  }
}

TEST(AttachLinkType, ThatContradictsTheInterfaceNeedsForce) {
  WEIR_NEEDS_TUN();
  const NetworkNamespace network;
  const TunInterface tun("tun9", TunKind::kTun);
  const TunInterface tap("tap9", TunKind::kTap);
  for (const auto& [interface, own, other] :
       {std::tuple{"tun9", "RAW", "EN10MB"}, std::tuple{"tap9", "EN10MB", "RAW"}}) {
    const Words attach = {"attach", "-i", interface, "--hook", "tc", "--count", "ip", "-y"};
    const Answer refused = weir(attach + Words{other});
    EXPECT_EQ(refused.status, 2);
    EXPECT_NE(refused.err.find(std::string("'") + interface + "' have the link type " + own +
                               ", not " + other + "; leave out -y, or give --force"),
              std::string::npos)
        << refused.err;
    EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"].size(), 0U);
    EXPECT_EQ(weir(attach + Words{own}).status, 0);
    EXPECT_EQ(weir(attach + Words{other, "--force"}).status, 0);
    EXPECT_EQ(only_program(weir({"show", "-j"}))["link_type"], other);
    EXPECT_EQ(weir({"detach", interface}).status, 0);
  }
}

TEST(AttachLinkType, ThatCannotBeFilteredIsRefusedByName) {
  WEIR_NEEDS_TUN();
  const NetworkNamespace network;
  const TunInterface monitor("mon9", TunKind::kTun, 803);
  const Words attach = {"attach", "-i", "mon9", "--hook", "tc", "--count", "--all"};
  for (const Words& more : {Words{}, Words{"--force"}, Words{"-y", "RAW"}}) {
    const Answer refused = weir(attach + more);
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.err.find("weir cannot filter 'mon9': it is an 802.11 monitor"),
              std::string::npos)
        << refused.err;
  }
  EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"].size(), 0U);
  EXPECT_EQ(weir(attach + Words{"-y", "IEEE802_11_RADIO", "--force"}).status, 0);
  EXPECT_EQ(only_program(weir({"show", "-j"}))["link_type"], "IEEE802_11_RADIO");
}

}  // namespace
}  // namespace weir::cli
