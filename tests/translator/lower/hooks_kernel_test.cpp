// Lowered filters on live hooks: packets that lie in pieces at tc, and tagged frames, whose tag
// Linux takes away before sockets and tc ingress see them.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "cbpf/interpret.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/translator/lower/counters.h"
#include "tests/translator/lower/lowered.h"
#include "translator/lower/to_classic.h"
#include "translator/opt/pass.h"
#include "xdp/hooks/socket_filter.h"
#include "xdp/hooks/tc.h"
#include "xdp/hooks/xdp_attach.h"

namespace weir::lower {
namespace {

using Frame = std::vector<std::uint8_t>;

// TCP over IPv4 to `port`, `length` bytes in all.
Frame tcp_frame(std::uint8_t port, std::size_t length = 60) {
  Frame frame = testing::frame(0x0800, length);
  frame[14] = 0x45;
  frame[23] = 6;
  frame[37] = port;
  return frame;
}

Frame tagged(Frame frame, std::uint16_t type, std::uint8_t id) {
  const std::uint8_t tag[] = {static_cast<std::uint8_t>(type >> 8),
                              static_cast<std::uint8_t>(type & 0xff), 0x20, id};
  frame.insert(frame.begin() + 12, std::begin(tag), std::end(tag));
  return frame;
}

Result<xdp::LoadedProgram> counting(const cbpf::ValidatedProgram& program, TargetId id) {
  return loaded(program, id, Rule{.action = Action::kCount, .text = "test"});
}

// A packet socket's frame of more than a page lies in its pages but for the link header.
TEST(HooksKernel, TcSeesPacketsThatLieInPieces) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  testing::ip({"link set dev " + veth.a() + " mtu 9000", "link set dev " + veth.b() + " mtu 9000"});
  const auto program =
      loaded(compiled("tcp port 80"), TargetId::kTc, Rule{.action = Action::kDrop, .text = "test"});
  ASSERT_TRUE(program) << to_string(program.error()) << program.error().detail;
  const auto link = xdp::attach_tc(veth.a(), xdp::TcDirection::kEgress, *program);
  ASSERT_TRUE(link) << to_string(link.error());
  const testing::PacketSocket from(veth.a());
  const testing::PacketSocket to(veth.b());
  const auto passed = testing::pass_through(
      from, to, {tcp_frame(80, 8000), tcp_frame(81, 8000), tcp_frame(80), tcp_frame(81)});
  EXPECT_EQ(passed.size(), 2U);
  EXPECT_EQ(read_counter(*program, 1).packets, 2U);
  EXPECT_EQ(read_counter(*program, 1).bytes, 8060U);
  EXPECT_EQ(read_counter(*program, 0).packets, 3U);  // The two others, and the sentinel.
}

// The frame that leaves by a's egress comes in at b's ingress and XDP.
TEST(HooksKernel, DirectionIsThatOfTheHook) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const auto mine = [](const char* expression) {
    return compiled(std::string("ether proto 0x88b6 and ") + expression);
  };
  std::vector<xdp::LoadedProgram> programs;
  std::vector<xdp::Link> links;
  std::vector<std::uint64_t> wanted;
  for (const char* expression : {"inbound", "outbound", "not inbound"}) {
    const bool inbound = std::string_view(expression) == "inbound";
    for (const TargetId id : {TargetId::kTcEgress, TargetId::kTc}) {
      auto program = counting(mine(expression), id);
      ASSERT_TRUE(program) << to_string(program.error()) << program.error().detail;
      const bool egress = id == TargetId::kTcEgress;
      auto link =
          xdp::attach_tc(egress ? veth.a() : veth.b(),
                         egress ? xdp::TcDirection::kEgress : xdp::TcDirection::kIngress, *program);
      ASSERT_TRUE(link) << to_string(link.error());
      programs.push_back(std::move(*program));
      links.push_back(std::move(*link));
      wanted.push_back(inbound != egress ? 1 : 0);
    }
  }
  for (const char* expression : {"inbound", "outbound"}) {
    auto program = counting(mine(expression), TargetId::kXdp);
    ASSERT_TRUE(program) << to_string(program.error()) << program.error().detail;
    const auto link = xdp::attach_xdp(veth.b(), *program, {.force = true});
    ASSERT_TRUE(link) << to_string(link.error());
    const testing::PacketSocket from(veth.a());
    const testing::PacketSocket to(veth.b());
    testing::pass_through(from, to, {});
    EXPECT_EQ(read_counter(*program, 1).packets,
              std::string_view(expression) == "inbound" ? 1U : 0U);
  }
  for (std::size_t i = 0; i < programs.size(); ++i) {
    // One sentinel for each of the two programs at XDP.
    EXPECT_EQ(read_counter(programs[i], 1).packets, 2 * wanted[i]) << "program " << i;
  }
}

// How many of the frames a socket with the filter receives, and the sentinel, which it must let in.
std::size_t received(const testing::PacketSocket& to) {
  std::size_t count = 0;
  for (;;) {
    const auto frame = to.receive();
    if (!frame) {
      ADD_FAILURE() << "no sentinel";
      return count;
    }
    ++count;
    if (testing::ether_type(*frame) == testing::kSentinel) {
      return count;
    }
  }
}

// A socket on the interface with the filter that `attach` puts on it.
testing::PacketSocket filtered_socket(const std::string& interface,
                                      const std::function<Result<xdp::Link>(int)>& attach) {
  auto socket = xdp::open_packet_socket();
  EXPECT_TRUE(socket) << to_string(socket.error());
  auto link = attach(socket->get());
  EXPECT_TRUE(link) << to_string(link.error());
  if (link) {
    link->release();  // It goes with the socket.
  }
  EXPECT_TRUE(xdp::bind_packet_socket(socket->get(), interface));
  return testing::PacketSocket(std::move(*socket));
}

class TaggedFrames : public ::testing::TestWithParam<const char*> {};

TEST_P(TaggedFrames, GetOneVerdictAtEveryHook) {
  WEIR_NEEDS_KERNEL();
  const auto program = compiled(std::string("ether proto 0x88b6 or (") + GetParam() + ")");
  const std::vector<Frame> frames = {tcp_frame(80),
                                     tcp_frame(81),
                                     tagged(tcp_frame(80), 0x8100, 100),
                                     tagged(tcp_frame(81), 0x8100, 100),
                                     tagged(tcp_frame(80), 0x88a8, 101),
                                     tagged(tagged(tcp_frame(80), 0x8100, 7), 0x88a8, 100),
                                     tagged(testing::frame(0x0806), 0x8100, 100),
                                     testing::frame(0x88b7),
                                     testing::frame(testing::kSentinel)};
  std::size_t wanted = 0;
  for (const Frame& frame : frames) {
    const auto length = static_cast<std::uint32_t>(frame.size());
    wanted += cbpf::interpret(program, {.captured = frame, .wire_length = length}) != 0 ? 1 : 0;
  }

  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const auto at_xdp = counting(program, TargetId::kXdp);
  ASSERT_TRUE(at_xdp) << to_string(at_xdp.error()) << at_xdp.error().detail;
  const auto at_tc = counting(program, TargetId::kTc);
  ASSERT_TRUE(at_tc) << to_string(at_tc.error()) << at_tc.error().detail;
  const auto at_socket = loaded(program, TargetId::kSocket);
  ASSERT_TRUE(at_socket) << to_string(at_socket.error()) << at_socket.error().detail;

  auto function = ir::build(program, kEthernet);
  ASSERT_TRUE(function) << to_string(function.error());
  *function = restore_vlan_tag(*function);
  ASSERT_TRUE(opt::run_passes(*function, {}));
  const auto classic = to_classic(*function, {.dialect = cbpf::Dialect::kLinux});
  ASSERT_TRUE(classic) << to_string(classic.error());

  const auto xdp_link = xdp::attach_xdp(veth.b(), *at_xdp);
  ASSERT_TRUE(xdp_link) << to_string(xdp_link.error());
  const auto tc_link = xdp::attach_tc(veth.b(), xdp::TcDirection::kIngress, *at_tc);
  ASSERT_TRUE(tc_link) << to_string(tc_link.error());
  const auto to = filtered_socket(
      veth.b(), [&](int socket) { return xdp::attach_socket_filter(socket, *at_socket); });
  const auto to_the_classic =
      filtered_socket(veth.b(), [&](int socket) { return xdp::attach_classic(socket, *classic); });

  const testing::PacketSocket from(veth.a());
  for (const Frame& frame : frames) {
    from.send(frame);
  }
  EXPECT_EQ(received(to), wanted);
  EXPECT_EQ(received(to_the_classic), wanted);
  EXPECT_EQ(read_counter(*at_xdp, 1).packets, wanted);
  EXPECT_EQ(read_counter(*at_tc, 1).packets, wanted);
  EXPECT_EQ(read_counter(*at_tc, 1).bytes, read_counter(*at_xdp, 1).bytes);
}

INSTANTIATE_TEST_SUITE_P(HooksKernel, TaggedFrames,
                         ::testing::Values("tcp port 80", "vlan", "vlan 100", "not vlan",
                                           "vlan and tcp port 80", "vlan 100 and vlan 7",
                                           "ether[12:2] = 0x8100", "ether[14:2] & 0xfff = 101",
                                           "ether[13:4] = 0x00206408", "ether[16:2] = 0x0806",
                                           "ether[ether[5] + 12:2] = 0x88a8", "len > 63",
                                           "not ip"));

}  // namespace
}  // namespace weir::lower
