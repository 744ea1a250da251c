#include "translator/frontend/member.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::frontend {
namespace {

using ir::Key;

std::string parsed(std::vector<std::string_view> words, std::string_view literal) {
  const auto qualifiers = parse_qualifiers(words);
  const auto member = qualifiers ? parse_member(*qualifiers, literal, 1) : std::nullopt;
  if (!member) {
    return "none";
  }
  std::string text;
  for (const Key& key : {member->range.low, member->range.high}) {
    for (std::uint32_t i = words_of(member->shape.kind); i-- > 0;) {
      text += (text.empty() ? "" : " ") + std::to_string(key.word(i));
    }
  }
  return text;
}

TEST(Member, Addresses) {
  EXPECT_EQ(parsed({"host"}, "1.2.3.4"), "16909060 16909060");
  EXPECT_EQ(parsed({"arp", "src"}, "0.0.0.1"), "1 1");
  EXPECT_EQ(parsed({"net"}, "1.2.0.0/16"), "16908288 16973823");
  EXPECT_EQ(parsed({"net"}, "0.0.0.0/0"), "0 4294967295");
  EXPECT_EQ(parsed({"ip6", "dst", "net"}, "2001:db8::/33"),
            "536939960 0 0 0 536939960 2147483647 4294967295 4294967295");
  EXPECT_EQ(parsed({"net"}, "::/0"), "0 0 0 0 4294967295 4294967295 4294967295 4294967295");
  EXPECT_EQ(parsed({"host"}, "::1.2.3.4"), "0 0 0 16909060 0 0 0 16909060");
  EXPECT_EQ(parsed({"ether", "src"}, "1:2:3:4:5:ff"), "50595327 258 50595327 258");
}

TEST(Member, Numbers) {
  EXPECT_EQ(parsed({"tcp", "src or dst", "port"}, "80"), "80 80");
  EXPECT_EQ(parsed({"portrange"}, "9-5"), "5 9");
  EXPECT_EQ(parsed({"ip", "proto"}, "255"), "255 255");
}

TEST(Member, WhatLibpcapMustDecide) {
  for (const std::string_view literal :
       {"example", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", "1.2.3.4/32", "::1/128", "1.2.3.",
        "12345::", "80", "1:2:3:4:5:6", "", "-1.2.3.4"}) {
    EXPECT_EQ(parsed({"host"}, literal), "none") << literal;
  }
  EXPECT_EQ(parsed({"net"}, "1.2.3.4/16"), "none");
  EXPECT_EQ(parsed({"net"}, "1.2.0.0/33"), "none");
  EXPECT_EQ(parsed({"net"}, "0.2.0.0"), "131072 131072");
  EXPECT_EQ(parsed({"port"}, "65536"), "none");
  EXPECT_EQ(parsed({"port"}, "080"), "none");
  EXPECT_EQ(parsed({"proto"}, "256"), "none");
  EXPECT_EQ(parsed({"tcp", "host"}, "1.2.3.4"), "none");
  EXPECT_EQ(parsed({"ip", "host"}, "::1"), "none");
  EXPECT_EQ(parsed({"ip", "port"}, "80"), "none");
  EXPECT_EQ(parsed({"ip"}, "1.2.3.4"), "none");
  EXPECT_EQ(parsed({"host", "src"}, "1.2.3.4"), "none");
  EXPECT_EQ(parsed({}, "1.2.3.4"), "none");
}

TEST(Member, MacAddressesOnEthernetOnly) {
  EXPECT_TRUE(parse_member({.protocol = "ether", .type = "host"}, "1:2:3:4:5:6", 1));
  EXPECT_FALSE(parse_member({.protocol = "ether", .type = "host"}, "1:2:3:4:5:6", 105));
}

}  // namespace
}  // namespace weir::frontend
