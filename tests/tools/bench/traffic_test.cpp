#include "tools/bench/traffic/traffic.h"

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

TEST(WithHosts, GivesAShareOfThePacketsTheirAddresses) {
  const Traffic traffic = generate_mix(7, 4000);
  const std::uint32_t hosts[] = {0x01020304};
  const Traffic with = with_hosts(traffic, hosts, 50, 1);
  ASSERT_EQ(with.packets.size(), traffic.packets.size());
  std::size_t ipv4 = 0;
  std::size_t found = 0;
  for (std::size_t i = 0; i < with.packets.size(); ++i) {
    const Bytes bytes = with.packets[i].captured;
    ASSERT_EQ(bytes.size(), traffic.packets[i].captured.size());
    if (bytes.size() >= 34 && load_be16(bytes.data() + 12) == 0x0800) {
      ++ipv4;
      found +=
          load_be32(bytes.data() + 26) == 0x01020304 || load_be32(bytes.data() + 30) == 0x01020304;
    }
  }
  EXPECT_GT(ipv4, 1000U);
  EXPECT_GT(found, ipv4 / 3);
  EXPECT_LT(found, ipv4 * 2 / 3);
}

}  // namespace
}  // namespace weir::bench
