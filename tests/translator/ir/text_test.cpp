#include "translator/ir/text/text.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::ir {
namespace {

constexpr char kEverything[] = R"(function EN10MB {
s0 = set 1 { 5, 0xa..0xff }
s1 = set 4 { 0x20010db8:0:0:1, 0x20010db8:0:0:3..0x20010db8:0:0:0xffffffff }
s2 = set 1 { 1, 3, 5, 7, 9, 0xb, 0xd, 0xf,
  0x11 }
s3 = set 2 { }
b0:
  need 14
  v0 = load 2 [12]
  v1 = length
  v2 = ancillary vlan_tci
  branch eq v0, 0x800 ? b1 : b6(0)
b1:
  need 15
  v3 = load 1 [14]
  v4 = and v3, 0xf
  v5 = shl v4, 2
  need v5 + 18
  v6 = load 4 [v5 + 14]
  need 0x10 + 4
  v7 = load 2 [0x10 + 0]
  v8 = neg v6
  v9 = add v8, v1
  v10 = sub v9, v2
  v11 = mul v10, v10
  guard v11
  v12 = div v11, v11
  v13 = mod v12, 0xffffffff
  v14 = or v13, v7
  v15 = xor v14, 9
  v16 = shr v15, v14
  v17 = shl_modulo v16, v15
  v18 = shr_modulo v17, 0xa
  v19 = in s0, v18
  v20 = join v18, v17
  v21 = join v20, 0xa
  v22 = join v21, v19
  v23 = in s1, v22
  v24 = in s3, v20
  jump b2(v23, 5)
b2(v25, v26):
  switch v25 { 1 => b3, 3..9 => b4(v26), 0xa..0xff => b4(v25), else => b5 }
b3:
  branch set v25, v26 ? b5 : b6(v26)
b4(v27):
  return v27
b5:
  return 262144
b6(v28):
  branch le v28, 0xffffffff ? b7 : b8
b7:
  return 0
b8:
  return v28
}
)";

TEST(IrText, RoundTripsEveryForm) {
  const auto function = parse(kEverything);
  ASSERT_TRUE(function.has_value()) << to_string(function.error());
  EXPECT_EQ(print(*function), kEverything);
}

TEST(IrText, NumbersInOrderOfAppearanceWhateverTheNamesWere) {
  const auto function = parse(R"(
    function DLT 12 {   ; raw IP
    b7: need 1 v90 = load 1 [0x0]
      branch gt v90, 10 ? b2 : b40   ; to the one that was named first
    b40: return 0
    b2: return v90
    })");
  ASSERT_TRUE(function.has_value()) << to_string(function.error());
  EXPECT_EQ(print(*function), R"(function RAW {
b0:
  need 1
  v0 = load 1 [0]
  branch gt v0, 0xa ? b2 : b1
b1:
  return 0
b2:
  return v0
}
)");
}

TEST(IrText, ReadsTheFieldsOfEachValue) {
  const auto function = parse(
      "function EN10MB { b0: need 5 + 9 v0 = load 2 [7] v1 = sub 3, v0 "
      "switch v1 { 1 => b1, 2..4 => b1, else => b2 } b1: return 3 b2: return v1 }");
  ASSERT_TRUE(function.has_value()) << to_string(function.error());
  const auto& body = function->blocks[0].body;
  ASSERT_EQ(body.size(), 3U);
  const Value& need = function->values[body[0]];
  EXPECT_EQ(need.op, Op::kNeed);
  EXPECT_EQ(need.k, 9U);
  EXPECT_EQ(function->values[need.a].op, Op::kConstant);
  EXPECT_EQ(function->values[need.a].k, 5U);
  const Value& load = function->values[body[1]];
  EXPECT_EQ(load.op, Op::kLoad);
  EXPECT_EQ(load.width, 2);
  EXPECT_EQ(load.k, 7U);
  EXPECT_EQ(load.a, kNoValue);
  const Value& sub = function->values[body[2]];
  EXPECT_EQ(function->values[sub.a].k, 3U);
  EXPECT_EQ(sub.b, body[1]);
  // One constant a number, one edge for cases that go the same way.
  EXPECT_EQ(sub.a, function->blocks[1].terminator.a);
  const Terminator& end = function->blocks[0].terminator;
  ASSERT_EQ(end.edges.size(), 2U);
  EXPECT_EQ(end.edges[0].to, 2U);
  EXPECT_EQ(end.edges[1].to, 1U);
  EXPECT_EQ(end.cases[0].edge, 1U);
  EXPECT_EQ(end.cases[1].edge, 1U);
  EXPECT_EQ(end.cases[1].high, 4U);
}

TEST(IrText, NamesTheLinkTypeOrGivesItsNumber) {
  for (const char* name : {"LINUX_SLL2", "IEEE802_11_RADIO", "DLT 999"}) {
    const std::string text = "function " + std::string(name) + " {\nb0:\n  return 0\n}\n";
    const auto function = parse(text);
    ASSERT_TRUE(function.has_value()) << to_string(function.error());
    EXPECT_EQ(print(*function), text);
  }
}

struct BadText {
  const char* text;
  const char* error;
};

class IrTextErrors : public testing::TestWithParam<BadText> {};

TEST_P(IrTextErrors, NameLineAndColumn) {
  const auto function = parse(GetParam().text);
  ASSERT_FALSE(function.has_value());
  EXPECT_EQ(function.error().code, ErrorCode::kSyntax);
  EXPECT_EQ(to_string(function.error()), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Each, IrTextErrors,
    testing::Values(
        BadText{"", "1:1: expected 'function', found the end of the text"},
        BadText{"function 7 {", "1:10: expected a link type, found '7'"},
        BadText{"function NOSUCH {", "1:10: unknown link type 'NOSUCH'"},
        BadText{"function EN10MB\n b0:", "2:2: expected '{', found 'b0'"},
        BadText{"function EN10MB {",
                "1:18: expected a block such as b0, found the end of the text"},
        BadText{"function EN10MB {\n}\n}", "3:1: expected the end of the text, found '}'"},
        BadText{"function EN10MB { x:", "1:19: expected a block such as b0, found 'x'"},
        BadText{"function EN10MB { b0x1:", "1:19: expected a block such as b0, found 'b0x1'"},
        BadText{"function EN10MB { b0 return", "1:22: expected ':', found 'return'"},
        BadText{"function EN10MB { b0: }",
                "1:23: expected a value, an effect or a terminator, found '}'"},
        BadText{"function EN10MB { b0: return 0 b0: return 0 }", "1:32: b0 is defined twice"},
        BadText{"function EN10MB { b0(5): ", "1:22: expected a value such as v0, found '5'"},
        BadText{"function EN10MB { b0(v1, v1): ", "1:26: v1 is defined twice"},
        BadText{"function EN10MB {\nb0:\n  return v1\n}", "3:10: v1 is never defined"},
        BadText{"function EN10MB {\nb0:\n  jump b1\n}", "3:8: b1 is never defined"},
        BadText{"function EN10MB { b0: jump 1", "1:28: expected a block such as b1, found '1'"},
        BadText{"function EN10MB { b0: return ]", "1:30: expected a value or a number, found ']'"},
        BadText{"function EN10MB { b0: return 4294967296",
                "1:30: expected a value or a number, found '4294967296'"},
        BadText{"function EN10MB { b0: return 0x",
                "1:30: expected a value or a number, found '0x'"},
        BadText{"function EN10MB { b0: return -1", "1:30: expected a value or a number, found '-'"},
        BadText{"function EN10MB { b0: v0 length", "1:26: expected '=', found 'length'"},
        BadText{"function EN10MB { b0: v0 = 5", "1:28: expected an operation, found '5'"},
        BadText{"function EN10MB { b0: v0 = foo 5", "1:28: unknown operation 'foo'"},
        BadText{"function EN10MB { b0: v0 = add 5 6", "1:34: expected ',', found '6'"},
        BadText{"function EN10MB { b0: v0 = load 3 [1]", "1:33: a load is 1, 2 or 4 bytes wide"},
        BadText{"function EN10MB { b0: v0 = load v1",
                "1:33: expected a number below 2^32, found 'v1'"},
        BadText{"function EN10MB { b0: v0 = load 1 [v1]", "1:38: expected '+', found ']'"},
        BadText{"function EN10MB { b0: v0 = ancillary what",
                "1:38: expected the name of an extension, found 'what'"},
        BadText{"function EN10MB { s1 = set 1 { }", "1:19: expected s0, found 's1'"},
        BadText{"function EN10MB { s0 = set 5 { }",
                "1:28: expected a number of words from 1 to 4, found '5'"},
        BadText{"function EN10MB { s0 = set 2 { 1 }", "1:34: expected ':', found '}'"},
        BadText{"function EN10MB { b0: v0 = in s0, 1",
                "1:31: expected a set that stands above, such as s0, found 's0'"},
        BadText{"function EN10MB { b0: branch v0", "1:30: expected a comparison, found 'v0'"},
        BadText{"function EN10MB { b0: branch eq 1, 2 b1", "1:38: expected '?', found 'b1'"},
        BadText{"function EN10MB { b0: switch 1 { 2 b1", "1:36: expected '=>', found 'b1'"},
        BadText{"function EN10MB { b0: switch 1 { }",
                "1:34: expected a number below 2^32, found '}'"}));

}  // namespace
}  // namespace weir::ir
