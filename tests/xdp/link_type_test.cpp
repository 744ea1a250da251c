#include "xdp/kernel/link_type.h"

#include <gtest/gtest.h>

namespace weir::xdp {
namespace {

TEST(LinkType, IsThatOfThePacketsAtTheHooks) {
  // Ethernet, loopback; PPP, IP in IP, IPv6 tunnel, raw IP, none (tun, WireGuard).
  for (const auto& [type, expected] : {std::pair<std::uint16_t, int>{1, 1},
                                       {772, 1},
                                       {512, 12},
                                       {768, 12},
                                       {769, 12},
                                       {519, 12},
                                       {0xfffe, 12}}) {
    const auto found = link_type({.name = "a0", .hardware_type = type});
    ASSERT_TRUE(found) << type;
    EXPECT_EQ(*found, expected) << type;
  }
}

TEST(LinkType, OfAnyOtherHardwareIsAnErrorThatNamesIt) {
  for (const auto& [type, said] : {std::pair<std::uint16_t, const char*>{778, "a GRE tunnel"},
                                   {823, "a GRE tunnel"},
                                   {776, "a SIT tunnel"},
                                   {32, "an InfiniBand interface"},
                                   {803, "an 802.11 monitor"},
                                   {280, "a CAN bus"},
                                   {824, "a netlink monitor"},
                                   {826, "a vsock monitor"},
                                   {0, "of hardware type 0"},
                                   {0xffff, "of hardware type 65535"}}) {
    const auto found = link_type({.name = "a0", .hardware_type = type});
    ASSERT_FALSE(found) << type;
    EXPECT_EQ(found.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(found.error().message.find(std::string("'a0': it is ") + said), std::string::npos)
        << found.error().message;
  }
}

}  // namespace
}  // namespace weir::xdp
