#include "tools/bench/traffic.h"

#include <gtest/gtest.h>

namespace weir::bench {
namespace {

TEST(AsLinkType, RawKeepsTheIpPackets) {
  TrafficBuilder builder;
  std::vector<std::uint8_t> ip(60, 1);
  ip[12] = 8;
  ip[13] = 0;
  std::vector<std::uint8_t> arp(60, 2);
  arp[12] = 8;
  arp[13] = 6;
  builder.add(ip, 70);
  builder.add(arp, 60);
  const Traffic traffic = std::move(builder).finish("two", 1);

  const auto raw = as_link_type(traffic, 12);
  ASSERT_TRUE(raw) << to_string(raw.error());
  EXPECT_EQ(raw->link_type, 12);
  ASSERT_EQ(raw->packets.size(), 1U);
  EXPECT_EQ(raw->packets[0].captured.size(), 46U);
  EXPECT_EQ(raw->packets[0].wire_length, 56U);

  const auto sll = as_link_type(traffic, 113);
  ASSERT_TRUE(sll) << to_string(sll.error());
  ASSERT_EQ(sll->packets.size(), 2U);
  EXPECT_EQ(sll->packets[1].captured.size(), 62U);
  EXPECT_EQ(sll->packets[1].wire_length, 62U);
  EXPECT_EQ(load_be16(sll->packets[1].captured.data() + 14), 0x0806);

  EXPECT_FALSE(as_link_type(traffic, 105));
}

}  // namespace
}  // namespace weir::bench
