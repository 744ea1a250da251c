#include "xdp/hooks/socket_filter.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/kernel/programs.h"

namespace weir::xdp {
namespace {

using testing::frame;
using testing::kSentinel;

// Accepts two ether types.
cbpf::Program classic_filter(std::uint32_t type, std::uint32_t other) {
  return {
      {{0x28, 0, 0, 12}, {0x15, 1, 0, type}, {0x15, 0, 1, other}, {6, 0, 0, 0xffff}, {6, 0, 0, 0}}};
}

// The frames of three ether types, and what a socket with that filter sees of them.
std::vector<std::uint16_t> seen_through(const Fd& socket, const testing::VethPair& veth) {
  const testing::PacketSocket from(veth.a());
  const testing::PacketSocket to(Fd(dup(socket.get())));
  return pass_through(from, to, {frame(0x0800), frame(0x86dd), frame(0x0806), frame(0x0800)});
}

TEST(SocketFilter, ClassicKeepsWhatItAccepts) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  auto socket = open_packet_socket();
  ASSERT_TRUE(socket) << to_string(socket.error());
  auto link = attach_classic(socket->get(), classic_filter(0x0800, kSentinel));
  ASSERT_TRUE(link) << to_string(link.error());
  const auto bound = bind_packet_socket(socket->get(), veth.b());
  ASSERT_TRUE(bound) << to_string(bound.error());
  EXPECT_EQ(seen_through(*socket, veth), (std::vector<std::uint16_t>{0x0800, 0x0800}));

  ASSERT_TRUE(link->detach());
  EXPECT_EQ(seen_through(*socket, veth),
            (std::vector<std::uint16_t>{0x0800, 0x86dd, 0x0806, 0x0800}));
}

TEST(SocketFilter, ExtendedKeepsWhatItAccepts) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  auto socket = open_packet_socket();
  ASSERT_TRUE(socket) << to_string(socket.error());
  {
    const auto program = load(testing::accept_ether_type(kSentinel), ProgramType::kSocketFilter);
    ASSERT_TRUE(program) << to_string(program.error());
    auto link = attach_socket_filter(socket->get(), *program);
    ASSERT_TRUE(link) << to_string(link.error());
    ASSERT_TRUE(bind_packet_socket(socket->get(), veth.b()));
    EXPECT_EQ(seen_through(*socket, veth), std::vector<std::uint16_t>{});
  }
  // The link has gone, and the filter with it.
  EXPECT_EQ(seen_through(*socket, veth).size(), 4U);
}

TEST(SocketFilter, ReleasedStaysWithTheSocket) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  auto socket = open_packet_socket();
  ASSERT_TRUE(socket) << to_string(socket.error());
  {
    auto link = attach_classic(socket->get(), classic_filter(kSentinel, kSentinel));
    ASSERT_TRUE(link) << to_string(link.error());
    link->release();
  }
  ASSERT_TRUE(bind_packet_socket(socket->get(), veth.b()));
  EXPECT_EQ(seen_through(*socket, veth), std::vector<std::uint16_t>{});
}

TEST(SocketFilter, RefusalsSayWhy) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  auto socket = open_packet_socket();
  ASSERT_TRUE(socket) << to_string(socket.error());
  const auto bound = bind_packet_socket(socket->get(), "weirnothere");
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, ErrorCode::kNoInterface);
  EXPECT_EQ(bound.error().message, "no interface named 'weirnothere'");

  const auto invalid = attach_classic(socket->get(), {{{0x05, 0, 0, 9}, {6, 0, 0, 0}}});
  ASSERT_FALSE(invalid);
  EXPECT_EQ(invalid.error().code, ErrorCode::kInvalidProgram);

  // Valid, but the kernel's own instructions for 4,094 loads are too many for one of its jumps.
  cbpf::Program far = {{{0x05, 0, 0, 4093}}};
  far.instructions.resize(4095, {cbpf::kLdx | cbpf::kMsh | cbpf::kB, 0, 0, 14});
  far.instructions.back() = {0x06, 0, 0, 1};
  const auto too_far = attach_classic(socket->get(), far);
  ASSERT_FALSE(too_far);
  EXPECT_EQ(too_far.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(too_far.error().message.find("a jump in it is too long"), std::string::npos);

  cbpf::Program longest;
  longest.instructions.resize(4097, {6, 0, 0, 0});
  const auto too_long = attach_classic(socket->get(), longest);
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(too_long.error().message, "the kernel takes 4096 classic instructions, not 4097");

  ASSERT_TRUE(attach_classic(socket->get(), classic_filter(1, 2)));
  const int on = 1;
  ASSERT_EQ(setsockopt(socket->get(), SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on)), 0);
  const auto locked = attach_classic(socket->get(), classic_filter(1, 2));
  ASSERT_FALSE(locked);
  EXPECT_EQ(locked.error().code, ErrorCode::kBusy);
}

}  // namespace
}  // namespace weir::xdp
