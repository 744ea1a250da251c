// VLAN tags at XDP, with live frames: a veth brings them beside the packet, not in it.
#include "xdp/rules/vlan_tags.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/cbpf/savefile_bytes.h"
#include "tests/cli/attach/standing.h"
#include "tests/cli/cli.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "xdp/hooks/tc.h"
#include "xdp/kernel/load.h"

namespace weir::cli {
namespace {

using nlohmann::json;
using testing::NetworkNamespace;
using testing::PacketSocket;
using testing::VethPair;

using Frame = std::vector<std::uint8_t>;

constexpr std::uint16_t kTag = 0x6064;  // Priority 3, VLAN 100.
constexpr int kTagged = 3;
constexpr int kUntagged = 2;

// An echo request with one IP option, so that its header is longer than the usual one.
Frame echo_request() {
  Frame frame = testing::frame(0x0800, 60, 0);
  const Frame ip = {0x46, 0, 0, 32, 0, 1, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1,
                    10,   0, 0, 2,  1, 1, 1, 0, 8,  0, 0, 0, 0,  7, 0, 9};
  std::copy(ip.begin(), ip.end(), frame.begin() + 14);
  return frame;
}

Frame with_tag(Frame frame) {
  const Frame tag = {0x81, 0x00, kTag >> 8, kTag & 0xff};
  frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  return frame;
}

std::string savefile(const std::vector<Frame>& frames) {
  cbpf::test::FileBytes file;
  file.pcap_header({});
  for (const Frame& frame : frames) {
    file.pcap_record(0, 0, frame, static_cast<std::uint32_t>(frame.size()));
  }
  return {file.get().begin(), file.get().end()};
}

// Gives what the interface sends a tag beside the packet, as a VLAN device on it would
// (bpf_skb_vlan_push, linux/bpf.h).
Result<xdp::Link> tag_what_leaves(const std::string& interface) {
  using namespace ebpf;
  constexpr std::int32_t kSkbVlanPush = 18;
  const Program program{
      .instructions = {Alu{.op = AluOp::kMov, .dst = Reg::kR2, .src = 0x0081},  // Network order.
                       Alu{.op = AluOp::kMov, .dst = Reg::kR3, .src = kTag},
                       Call{.kind = CallKind::kHelper, .imm = kSkbVlanPush},
                       Alu{.op = AluOp::kMov, .dst = Reg::kR0, .src = 0}, Exit{}}};
  const auto loaded = xdp::load(program, xdp::ProgramType::kTc);
  if (!loaded) {
    return tl::make_unexpected(loaded.error());
  }
  return xdp::attach_tc(interface, xdp::TcDirection::kEgress, *loaded);
}

// How many of the frames the rule matched, once all have gone through.
int matches(const std::string& interface) {
  const json stats = counted(interface, kTagged + kUntagged);
  const int matched = stats["match"]["packets"].get<int>();
  EXPECT_EQ(matched + stats["no_match"]["packets"].get<int>(), kTagged + kUntagged);
  return matched;
}

void send_frames(const VethPair& pair) {
  const PacketSocket socket(pair.a());
  for (int i = 0; i < kUntagged; ++i) {
    socket.send(echo_request());
  }
  const auto tags = tag_what_leaves(pair.a());
  ASSERT_TRUE(tags) << to_string(tags.error());
  for (int i = 0; i < kTagged; ++i) {
    socket.send(echo_request());
  }
}

bool driver_tells_tags(const std::string& interface) {
  const auto there = xdp::interface_named(interface);
  return there && xdp::find_vlan_tag_access(*there, xdp::XdpMode::kNative).tags ==
                      xdp::VlanTags::kFromDriver;
}

// The second kernel (6.1) cannot; where kernel tests are required, any other must.
#define WEIR_NEEDS_TAGS_FROM_DRIVER(interface)                                        \
  do {                                                                                \
    if (!driver_tells_tags(interface)) {                                              \
      EXPECT_TRUE(!testing::kernel_tests_required() || getenv("WEIR_SECOND_KERNEL")); \
      GTEST_SKIP() << "this kernel has no bpf_xdp_metadata_rx_vlan_tag (Linux 6.8)";  \
    }                                                                                 \
  } while (false)

// The verdict of a rule at XDP is that on the frames as they were on the wire.
TEST(AttachVlanTags, AreReadFromTheDriver) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  WEIR_NEEDS_TAGS_FROM_DRIVER(pair.b());
  std::vector<Frame> wire(kUntagged, echo_request());
  wire.insert(wire.end(), kTagged, with_tag(echo_request()));
  const TemporaryFolder folder;
  const std::string file = folder.file("wire.pcap", savefile(wire));
  for (const char* expression :
       {"vlan 100", "vlan 101", "vlan", "icmp", "not icmp", "vlan and icmp", "icmp or vlan 100",
        "vlan 100 and icmp[icmptype] = icmp-echo", "ip[ip[0] & 0xf] = 64", "ether[14:2] = 0x6064",
        "ether[12:4] & 0xffff0fff = 0x81000064", "len = 64", "ether proto 0x8100", "greater 61",
        "vlan and ip[0] = 0x46 and host 10.0.0.2", "udp port 53 or (vlan and udp port 53)"}) {
    SCOPED_TRACE(expression);
    const Answer expected = weir({"filter", "-r", file, "-j", expression});
    ASSERT_EQ(expected.status, 0) << expected.err;
    const Answer attached =
        weir({"attach", "-i", pair.b(), "--mode", "native", "--replace", "--count", expression});
    ASSERT_EQ(attached.status, 0) << attached.err;
    EXPECT_EQ(attached.err, "");
    EXPECT_EQ(only_program(weir({"show", "-j", pair.b()}))["vlan_tags"], "from-driver");
    send_frames(pair);
    EXPECT_EQ(matches(pair.b()), json::parse(expected.out)["matched"].get<int>());
    EXPECT_EQ(only_program(weir({"stats", "-j", pair.b()}))["match"]["bytes"],
              json::parse(expected.out)["bytes_matched"]);
  }
  EXPECT_EQ(weir({"detach", pair.b()}).status, 0);
  EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"].size(), 0U);
}

// A classic program that reads the tag itself.
TEST(AttachVlanTags, AnswerTheExtensions) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  WEIR_NEEDS_TAGS_FROM_DRIVER(pair.b());
  for (const auto& [program, wanted] :
       {std::pair{"ld vlan_avail\n ret a\n", kTagged},
        std::pair{"ld vlan_tci\n jeq #0x6064, y, n\ny: ret #1\nn: ret #0\n", kTagged},
        std::pair{"ld vlan_tpid\n jeq #0x8100, y, n\ny: ret #1\nn: ret #0\n", kTagged},
        std::pair{"ld vlan_tci\n jeq #0, y, n\ny: ret #1\nn: ret #0\n", kUntagged}}) {
    SCOPED_TRACE(program);
    const TemporaryFolder folder;
    const Answer attached = weir({"attach", "-i", pair.b(), "--replace", "--count", "--asm",
                                  folder.file("program", program)});
    ASSERT_EQ(attached.status, 0) << attached.err;
    send_frames(pair);
    EXPECT_EQ(matches(pair.b()), wanted);
  }
}

// Where they cannot be read it is said, with what helps, and the rule is marked from then on.
TEST(AttachVlanTags, ThatAreLostAreSaid) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const std::string native = driver_tells_tags(pair.b()) ? ", or --mode native" : ", or Linux 6.8";
  const Answer attached =
      weir({"attach", "-i", pair.b(), "--mode", "generic", "--count", "vlan 100"});
  ASSERT_EQ(attached.status, 0) << attached.err;
  EXPECT_NE(attached.err.find("packets of " + pair.b() + " come to XDP without their VLAN tag"),
            std::string::npos)
      << attached.err;
  EXPECT_NE(attached.err.find("ethtool -K PEER txvlan off (at its other end), --hook tc" + native),
            std::string::npos)
      << attached.err;
  EXPECT_EQ(only_program(weir({"show", "-j", pair.b()}))["vlan_tags"], "lost");
  EXPECT_NE(weir({"show"}).out.find("VLAN tags lost"), std::string::npos);
  EXPECT_NE(weir({"show", pair.b()}).out.find("come to XDP without their VLAN tag"),
            std::string::npos);
  send_frames(pair);
  EXPECT_EQ(matches(pair.b()), 0);
}

// tc has them on every kernel, and the loopback has none.
TEST(AttachVlanTags, AreNotSpokenOfElsewhere) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const Answer at_tc = weir({"attach", "-i", pair.b(), "--hook", "tc", "--count", "vlan 100"});
  EXPECT_EQ(at_tc.err, "");
  EXPECT_TRUE(only_program(weir({"show", "-j", pair.b()}))["vlan_tags"].is_null());
  send_frames(pair);
  EXPECT_EQ(matches(pair.b()), kTagged);
  const Answer at_lo = weir({"attach", "-i", "lo", "--mode", "generic", "--count", "vlan 100"});
  EXPECT_EQ(at_lo.err, "");
  EXPECT_EQ(only_program(weir({"show", "-j", "lo"}))["vlan_tags"], "in-packet");
}

}  // namespace
}  // namespace weir::cli
