#include "cbpf/compile.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "cbpf/validate.h"

namespace weir::cbpf {
namespace {

TEST(Compile, GivesLibpcapsUnoptimisedProgram) {
  const Result<Program> program = compile("ip", {.snaplen = 100});
  ASSERT_TRUE(program.has_value());
  const Program wanted{{{0x28, 0, 0, 12}, {0x15, 0, 1, 0x800}, {0x06, 0, 0, 100}, {0x06, 0, 0, 0}}};
  EXPECT_EQ(*program, wanted);
}

TEST(Compile, TheEmptyExpressionTakesEverything) {
  const Result<Program> program = compile("");
  ASSERT_TRUE(program.has_value());
  EXPECT_EQ(*program, (Program{{{0x06, 0, 0, kDefaultSnaplen}}}));
}

TEST(Compile, TheOptimiserIsOffUnlessAskedFor) {
  const Result<Program> plain = compile("tcp port 80");
  const Result<Program> optimized = compile("tcp port 80", {.optimize = true});
  ASSERT_TRUE(plain && optimized);
  EXPECT_LT(optimized->instructions.size(), plain->instructions.size());
}

TEST(Compile, TheNetmaskIsUsed) {
  EXPECT_FALSE(compile("ip broadcast").has_value());
  EXPECT_TRUE(compile("ip broadcast", {.netmask = 0x00ffffff}).has_value());
}

struct Wrong {
  const char* expression;
  const char* sentence;
  const char* caret;  // The second line of the caret page.
};
std::ostream& operator<<(std::ostream& out, const Wrong& wrong) { return out << wrong.expression; }

class WrongExpression : public testing::TestWithParam<Wrong> {};

TEST_P(WrongExpression, GetsLibpcapsSentenceAndACaret) {
  const Result<Program> program = compile(GetParam().expression);
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().code, ErrorCode::kSyntax);
  EXPECT_EQ(program.error().message, GetParam().sentence);
  EXPECT_EQ(program.error().detail, std::string(GetParam().expression) + "\n" + GetParam().caret);
}

constexpr char kSyntaxError[] = "can't parse filter expression: syntax error";

INSTANTIATE_TEST_SUITE_P(
    Expressions, WrongExpression,
    testing::Values(
        Wrong{"tcp prot 80", kSyntaxError, "    ^~~~"},  //
        Wrong{"(tcp", kSyntaxError, "    ^"},            //
        Wrong{"tcp)", kSyntaxError, "   ^"},             //
        Wrong{"tcp and  ", kSyntaxError, "       ^"},    //
        Wrong{"and tcp", kSyntaxError, "^~~"},           //
        Wrong{"tcp or (udp port 5 3) or icmp", kSyntaxError, "                   ^"},
        Wrong{"tcp[13] & 2 ! 0", kSyntaxError, "            ^"},
        Wrong{"tcp port 80 and \"x", kSyntaxError, "                ^"},
        Wrong{"tcp port foo", "unknown port 'foo'", "         ^~~"},
        Wrong{"port foo or tcp port foo", "unknown port 'foo'", "     ^~~"},
        Wrong{"ip proto foo", "unknown ip proto 'foo'", "         ^~~"},
        Wrong{"tcp port 99999", "illegal port number 99999 > 65535", "         ^~~~~"},
        Wrong{"ether host 1.2.3.4 or tcp", "illegal link layer address", "           ^~~~~~~"},
        Wrong{"vlan 5000", "VLAN tag 5000 greater than maximum 4095", "     ^~~~"},
        Wrong{"tcp or ether[0]<<40=1", "shift by more than 31 bits", "                 ^~"},
        Wrong{"ip[0:3]=1", "data size must be 1, 2, or 4", "      ^"},
        Wrong{"host 1.2.3.4 or host 1.2.3.400", "invalid IPv4 address '1.2.3.400'",
              "                     ^~~~~~~~~"}));

TEST(Compile, RefusesANullByte) {
  const Result<Program> program = compile(std::string("ip\0or tcp", 9));
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().message, "the expression holds a null byte");
  EXPECT_EQ(program.error().place.column, 3U);
}

TEST(Compile, DoesNotBlameTheExpressionForTheLinkType) {
  const Result<Program> program = compile("ip", {.link_type = 60000});
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().detail, "");
  EXPECT_FALSE(compile("ip", {.snaplen = 0x80000000}).has_value());
}

TEST(LinkTypes, GoByNumberAndName) {
  EXPECT_EQ(link_type_by_name("EN10MB"), kLinkTypeEthernet);
  EXPECT_EQ(link_type_by_name("linux_sll"), 113);
  EXPECT_EQ(link_type_by_name("DLT_RAW"), 12);
  EXPECT_EQ(link_type_by_name("nonsense").error().code, ErrorCode::kUsage);
  EXPECT_EQ(link_type_name(1), "EN10MB");
  EXPECT_EQ(link_type_name(999), "DLT 999");
}

// With geneve in it libpcap's code may read scratch words that no instruction wrote (the offsets of
// an encapsulation that was not there). The kernel refuses it, and so do we.
TEST(Compile, GeneveMayComeOutInvalid) {
  EXPECT_TRUE(validate(compile("geneve").value()).has_value());
  const Result<ValidatedProgram> program = validate(compile("geneve or ip").value());
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().message, rule_sentence(Rule::kScratchUninitialized));
}

TEST(LinkTypes, WhatLibpcapMakesIsValidOnEveryOne) {
  std::size_t compiled = 0;
  for (const LinkType& type : link_types()) {
    for (const char* expression :
         {"", "ip", "tcp port 80", "ip protochain 6 or ip6 protochain 17", "vlan and mpls and ip",
          "ether[0] / ether[1] << ether[2] = len", "wlan type mgt or tcp"}) {
      const Result<Program> program = compile(expression, {.link_type = type.number});
      if (!program) continue;
      ++compiled;
      const Result<ValidatedProgram> valid = validate(*program);
      EXPECT_TRUE(valid.has_value())
          << type.name << ": " << expression << ": " << to_string(valid.error());
    }
  }
  EXPECT_GT(compiled, 100U);
}

}  // namespace
}  // namespace weir::cbpf
