// What build() makes of each classic instruction, in both dialects, as text.
#include <gtest/gtest.h>

#include <vector>

#include "tests/translator/ir/built.h"

namespace weir::ir {
namespace {

constexpr int kRadiotap = 127;  // DLT_IEEE802_11_RADIO, whose header has no fixed length.

struct Example {
  const char* name;
  std::vector<Instruction> code;
  const char* text;
};

void PrintTo(const Example& example, std::ostream* out) { *out << example.name; }

class BothDialects : public testing::TestWithParam<Example> {};

TEST_P(BothDialects, BuildTheSame) {
  EXPECT_EQ(built(GetParam().code, kPcap), GetParam().text);
  EXPECT_EQ(built(GetParam().code, kKernel), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(
    Loads, BothDialects,
    testing::Values(Example{"ld abs", {{kLd | kAbs | kW, 0, 0, 26}, kReturnA}, R"(
b0:
  need 30
  v0 = load 4 [26]
  return v0
)"},
                    Example{"ldh abs", {{kLd | kAbs | kH, 0, 0, 12}, kReturnA}, R"(
b0:
  need 14
  v0 = load 2 [12]
  return v0
)"},
                    Example{"ldb abs", {{kLd | kAbs | kB, 0, 0, 0}, kReturnA}, R"(
b0:
  need 1
  v0 = load 1 [0]
  return v0
)"},
                    Example{"the last offset that Linux counts from the packet's beginning",
                            {{kLd | kAbs | kW, 0, 0, 0x7fffffff}, kReturnA},
                            R"(
b0:
  need 2147483651
  v0 = load 4 [2147483647]
  return v0
)"},
                    Example{"ld imm", {{kLd | kImm, 0, 0, 7}, kReturnA}, R"(
b0:
  return 7
)"},
                    Example{"ld len", {kLoadLength, kReturnA}, R"(
b0:
  v0 = length
  return v0
)"},
                    Example{"ldx msh and what x at most is",
                            {{kLdx | kMsh | kB, 0, 0, 14}, {kLd | kInd | kH, 0, 0, 16}, kReturnA},
                            R"(
b0:
  need 15
  v0 = load 1 [14]
  v1 = and v0, 0xf
  v2 = shl v1, 2
  need v2 + 18
  v3 = load 2 [v2 + 16]
  return v3
)"},
                    Example{"ldx imm, ldb ind",
                            {{kLdx | kImm, 0, 0, 40}, {kLd | kInd | kB, 0, 0, 14}, kReturnA},
                            R"(
b0:
  need 0x28 + 15
  v0 = load 1 [0x28 + 14]
  return v0
)"},
                    Example{"x and a begin with 0",
                            {{kLd | kInd | kW, 0, 0, 3}, {kRet | kA, 0, 0, 0}},
                            R"(
b0:
  need 0 + 7
  v0 = load 4 [0 + 3]
  return v0
)"},
                    Example{"st, stx, ld mem, ldx mem, tax, txa",
                            {kLoadLength,
                             {kSt, 0, 0, 3},
                             {kMisc | kTax, 0, 0, 0},
                             {kLd | kImm, 0, 0, 1},
                             {kStx, 0, 0, 15},
                             {kLdx | kMem, 0, 0, 3},
                             {kMisc | kTxa, 0, 0, 0},
                             {kAlu | kAdd | kX, 0, 0, 0},
                             {kLdx | kMem, 0, 0, 15},
                             {kAlu | kSub | kX, 0, 0, 0},
                             kReturnA},
                            R"(
b0:
  v0 = length
  v1 = add v0, v0
  v2 = sub v1, v0
  return v2
)"},
                    Example{"an extension",
                            {{kLd | kAbs | kB, 0, 0, kAncillaryOffset + 44}, kReturnA},
                            R"(
b0:
  v0 = ancillary vlan_tci
  return v0
)"},
                    Example{"the extension that is no data",
                            {kLoadXLength,
                             {kLd | kImm, 0, 0, 5},
                             {kLd | kAbs | kW, 0, 0, kAncillaryOffset + 40},
                             kReturnA},
                            R"(
b0:
  v0 = length
  v1 = xor 5, v0
  return v1
)"},
                    Example{"ret k", {{kRet | kK, 0, 0, 262144}}, R"(
b0:
  return 262144
)"}));

INSTANTIATE_TEST_SUITE_P(Arithmetic, BothDialects,
                         testing::Values(Example{"by constants",
                                                 {kLoadLength,
                                                  {kAlu | kAdd | kK, 0, 0, 11},
                                                  {kAlu | kSub | kK, 0, 0, 1},
                                                  {kAlu | kMul | kK, 0, 0, 3},
                                                  {kAlu | kDiv | kK, 0, 0, 7},
                                                  {kAlu | kMod | kK, 0, 0, 0x100},
                                                  {kAlu | kAnd | kK, 0, 0, 0xf0},
                                                  {kAlu | kOr | kK, 0, 0, 1},
                                                  {kAlu | kXor | kK, 0, 0, 9},
                                                  {kAlu | kLsh | kK, 0, 0, 31},
                                                  {kAlu | kRsh | kK, 0, 0, 2},
                                                  {kAlu | kNeg, 0, 0, 0},
                                                  kReturnA},
                                                 R"(
b0:
  v0 = length
  v1 = add v0, 0xb
  v2 = sub v1, 1
  v3 = mul v2, 3
  v4 = div v3, 7
  v5 = mod v4, 0x100
  v6 = and v5, 0xf0
  v7 = or v6, 1
  v8 = xor v7, 9
  v9 = shl v8, 0x1f
  v10 = shr v9, 2
  v11 = neg v10
  return v11
)"},
                                         Example{"by x",
                                                 {kLoadXLength,
                                                  {kAlu | kAdd | kX, 0, 0, 0},
                                                  {kAlu | kSub | kX, 0, 0, 0},
                                                  {kAlu | kMul | kX, 0, 0, 0},
                                                  {kAlu | kAnd | kX, 0, 0, 0},
                                                  {kAlu | kOr | kX, 0, 0, 0},
                                                  {kAlu | kXor | kX, 0, 0, 0},
                                                  kReturnA},
                                                 R"(
b0:
  v0 = length
  v1 = add 0, v0
  v2 = sub v1, v0
  v3 = mul v2, v0
  v4 = and v3, v0
  v5 = or v4, v0
  v6 = xor v5, v0
  return v6
)"},
                                         Example{"a division by x is guarded",
                                                 {kLoadXLength,
                                                  {kLd | kImm, 0, 0, 100},
                                                  {kAlu | kDiv | kX, 0, 0, 0},
                                                  {kAlu | kMod | kX, 0, 0, 0},
                                                  kReturnA},
                                                 R"(
b0:
  v0 = length
  guard v0
  v1 = div 0x64, v0
  guard v0
  v2 = mod v1, v0
  return v2
)"}));

INSTANTIATE_TEST_SUITE_P(
    Jumps, BothDialects,
    testing::Values(Example{"every comparison with a constant",
                            {kLoadLength,
                             {kJmp | kJeq | kK, 4, 0, 60},
                             {kJmp | kJgt | kK, 3, 0, 61},
                             {kJmp | kJge | kK, 2, 0, 62},
                             {kJmp | kJset | kK, 1, 0, 0x40},
                             {kRet | kK, 0, 0, 0},
                             {kRet | kK, 0, 0, 1}},
                            R"(
b0:
  v0 = length
  branch eq v0, 0x3c ? b5 : b1
b1:
  branch gt v0, 0x3d ? b5 : b2
b2:
  branch ge v0, 0x3e ? b5 : b3
b3:
  branch set v0, 0x40 ? b5 : b4
b4:
  return 0
b5:
  return 1
)"},
                    Example{"every comparison with x",
                            {kLoadLength,
                             {kLdx | kImm, 0, 0, 5},
                             {kJmp | kJeq | kX, 4, 0, 0},
                             {kJmp | kJgt | kX, 3, 0, 0},
                             {kJmp | kJge | kX, 2, 0, 0},
                             {kJmp | kJset | kX, 1, 0, 0},
                             {kRet | kK, 0, 0, 0},
                             {kRet | kK, 0, 0, 1}},
                            R"(
b0:
  v0 = length
  branch eq v0, 5 ? b5 : b1
b1:
  branch gt v0, 5 ? b5 : b2
b2:
  branch ge v0, 5 ? b5 : b3
b3:
  branch set v0, 5 ? b5 : b4
b4:
  return 0
b5:
  return 1
)"},
                    Example{"ja, and what nothing reaches",
                            {{kJmp | kJa, 0, 0, 1}, {kRet | kK, 0, 0, 1}, {kRet | kK, 0, 0, 2}},
                            R"(
b0:
  jump b1
b1:
  return 2
)"},
                    Example{"a parameter where two values meet and are used",
                            {kLoadLength,
                             {kMisc | kTax, 0, 0, 0},
                             {kSt, 0, 0, 0},
                             {kJmp | kJeq | kK, 0, 2, 60},
                             {kLd | kImm, 0, 0, 1},
                             {kSt, 0, 0, 1},
                             {kLd | kMem, 0, 0, 0},
                             {kAlu | kAdd | kX, 0, 0, 0},
                             {kJmp | kJeq | kK, 0, 1, 1},
                             {kLd | kImm, 0, 0, 9},
                             kReturnA},
                            R"(
b0:
  v0 = length
  branch eq v0, 0x3c ? b1 : b2
b1:
  jump b2
b2:
  v1 = add v0, v0
  branch eq v1, 1 ? b3 : b4(v1)
b3:
  jump b4(9)
b4(v2):
  return v2
)"}));

TEST(BuildLibpcap, OffsetsDoNotWrap) {
  EXPECT_EQ(built({{kLd | kAbs | kH, 0, 0, 0xffffeffd}, kReturnA}, kPcap), R"(
b0:
  need 4294963199
  v0 = load 2 [4294963197]
  return v0
)");
  EXPECT_EQ(built({kLoadXLength, {kLd | kInd | kH, 0, 0, 0xfffffffd}, kReturnA}, kPcap), R"(
b0:
  v0 = length
  need v0 + 4294967295
  v1 = load 2 [v0 + 4294967293]
  return v1
)");
  EXPECT_EQ(built({kLoadXLength, {kLd | kInd | kH, 0, 0, 0xfffffffe}, kReturnA}, kPcap), R"(
b0:
  v0 = length
  return 0
)");
  EXPECT_EQ(built({{kLdx | kMsh | kB, 0, 0, 0xffffffff}, kReturnA}, kPcap), R"(
b0:
  return 0
)");
}

TEST(BuildLibpcap, WhatComesBehindACertainEndIsNotBuilt) {
  EXPECT_EQ(built({{kLd | kInd | kW, 0, 0, 0xffffffff},
                   {kJmp | kJeq | kK, 0, 1, 0},
                   {kRet | kK, 0, 0, 1},
                   {kRet | kK, 0, 0, 2}},
                  kPcap),
            R"(
b0:
  return 0
)");
}

TEST(BuildDivision, ByAnXThatIsKnownNeedsNoGuard) {
  EXPECT_EQ(
      built({kLoadLength, {kLdx | kImm, 0, 0, 7}, {kAlu | kDiv | kX, 0, 0, 0}, kReturnA}, kPcap),
      R"(
b0:
  v0 = length
  v1 = div v0, 7
  return v1
)");
  EXPECT_EQ(built({kLoadLength, {kAlu | kMod | kX, 0, 0, 0}, kReturnA}, kPcap), R"(
b0:
  v0 = length
  return 0
)");
}

TEST(BuildLibpcap, ShiftsByXPushEverythingOut) {
  EXPECT_EQ(built({kLoadXLength,
                   {kLd | kImm, 0, 0, 1},
                   {kAlu | kLsh | kX, 0, 0, 0},
                   {kAlu | kRsh | kX, 0, 0, 0},
                   kReturnA},
                  kPcap),
            R"(
b0:
  v0 = length
  v1 = shl 1, v0
  v2 = shr v1, v0
  return v2
)");
}

TEST(BuildLinux, ShiftsByXAreModulo32) {
  EXPECT_EQ(built({kLoadXLength,
                   {kLd | kImm, 0, 0, 1},
                   {kAlu | kLsh | kX, 0, 0, 0},
                   {kAlu | kRsh | kX, 0, 0, 0},
                   kReturnA},
                  kKernel),
            R"(
b0:
  v0 = length
  v1 = shl_modulo 1, v0
  v2 = shr_modulo v1, v0
  return v2
)");
}

TEST(BuildLinux, AbsoluteOffsetsFromTheHeadersAreKnownAtOnce) {
  EXPECT_EQ(built({{kLd | kAbs | kB, 0, 0, kNetworkOffset + 9}, kReturnA}, kKernel), R"(
b0:
  need 24
  v0 = load 1 [23]
  return v0
)");
  EXPECT_EQ(built({{kLd | kAbs | kH, 0, 0, kLinkOffset + 12}, kReturnA}, kKernel), R"(
b0:
  need 14
  v0 = load 2 [12]
  return v0
)");
  EXPECT_EQ(
      built({{kLdx | kMsh | kB, 0, 0, kNetworkOffset}, {kMisc | kTxa, 0, 0, 0}, kReturnA}, kKernel),
      R"(
b0:
  need 15
  v0 = load 1 [14]
  v1 = and v0, 0xf
  v2 = shl v1, 2
  return v2
)");
  for (const std::uint32_t offset : {0x80000000U, kLinkOffset - 1}) {
    EXPECT_EQ(built({{kLd | kAbs | kB, 0, 0, offset}, kReturnA}, kKernel), R"(
b0:
  return 0
)");
  }
}

TEST(BuildLinux, AnIndirectOffsetIsToldApartOnlyWhereItCanBeElsewhere) {
  // X is at most 60, so X - 10 is a small offset or one from the network header.
  EXPECT_EQ(
      built({{kLdx | kMsh | kB, 0, 0, 14}, {kLd | kInd | kH, 0, 0, 0U - 10}, kReturnA}, kKernel),
      R"(
b0:
  need 15
  v0 = load 1 [14]
  v1 = and v0, 0xf
  v2 = shl v1, 2
  v3 = add v2, 0xfffffff6
  branch lt v3, 0x80000000 ? b1 : b2
b1:
  need v3 + 2
  v4 = load 2 [v3 + 0]
  jump b3(v4)
b2:
  v5 = sub v3, 0xfff00000
  need v5 + 16
  v6 = load 2 [v5 + 14]
  jump b3(v6)
b3(v7):
  return v7
)");
  EXPECT_EQ(built({kLoadXLength, {kLd | kInd | kW, 0, 0, 0}, kReturnA}, kKernel), R"(
b0:
  v0 = length
  branch lt v0, 0x80000000 ? b1 : b2
b1:
  need v0 + 4
  v1 = load 4 [v0 + 0]
  jump b7(v1)
b2:
  branch ge v0, 0xfff00000 ? b3 : b4
b3:
  v2 = sub v0, 0xfff00000
  need v2 + 18
  v3 = load 4 [v2 + 14]
  jump b7(v3)
b4:
  branch ge v0, 0xffe00000 ? b5 : b6
b5:
  v4 = sub v0, 0xffe00000
  need v4 + 4
  v5 = load 4 [v4 + 0]
  jump b7(v5)
b6:
  return 0
b7(v6):
  return v6
)");
}

TEST(BuildLinux, OneRegionAloneNeedsNoBranch) {
  // A byte from the packet keeps X + k among the network offsets, or between all regions.
  const Instruction byte = {kLd | kAbs | kB, 0, 0, 0};
  const Instruction tax = {kMisc | kTax, 0, 0, 0};
  EXPECT_EQ(built({byte, tax, {kLd | kInd | kB, 0, 0, kNetworkOffset}, kReturnA}, kKernel), R"(
b0:
  need 1
  v0 = load 1 [0]
  v1 = add v0, 0xfff00000
  v2 = sub v1, 0xfff00000
  need v2 + 15
  v3 = load 1 [v2 + 14]
  return v3
)");
  EXPECT_EQ(built({byte, tax, {kLd | kInd | kB, 0, 0, 0x90000000}, kReturnA}, kKernel), R"(
b0:
  need 1
  v0 = load 1 [0]
  v1 = add v0, 0x90000000
  return 0
)");
  EXPECT_EQ(built({byte, tax, {kLd | kInd | kB, 0, 0, 0x7fffff80}, kReturnA}, kKernel), R"(
b0:
  need 1
  v0 = load 1 [0]
  v1 = add v0, 0x7fffff80
  branch lt v1, 0x80000000 ? b1 : b2
b1:
  need v1 + 1
  v2 = load 1 [v1 + 0]
  return v2
b2:
  return 0
)");
  EXPECT_EQ(built({{kLdx | kImm, 0, 0, 20}, {kLd | kInd | kB, 0, 0, 0U - 10}, kReturnA}, kKernel),
            R"(
b0:
  need 11
  v0 = load 1 [10]
  return v0
)");
}

TEST(BuildLinux, TheNetworkHeaderMustBeAtAFixedPlace) {
  const std::vector<Instruction> absolute = {{kLd | kAbs | kB, 0, 0, kNetworkOffset + 9}, kReturnA};
  EXPECT_EQ(built(absolute, kKernel, kRadiotap),
            "instruction 0: the load counts from the network header, and where that begins is not "
            "fixed for this link type");
  const std::vector<Instruction> indirect = {kLoadXLength, {kLd | kInd | kB, 0, 0, 0}, kReturnA};
  EXPECT_EQ(built(indirect, kKernel, kRadiotap),
            "instruction 1: the load counts from the network header, and where that begins is not "
            "fixed for this link type");
  EXPECT_EQ(built(absolute, kPcap, kRadiotap), R"(
b0:
  need 4293918730
  v0 = load 1 [4293918729]
  return v0
)");
}

}  // namespace
}  // namespace weir::ir
