// What lowering writes, shown on short functions.
#include "translator/lower/to_extended.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "translator/ebpf/check.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ir/text/text.h"

namespace weir::lower {
namespace {

ir::Function parsed(std::string_view text) {
  auto function = ir::parse(text);
  EXPECT_TRUE(function) << to_string(function.error());
  return function ? std::move(*function) : ir::Function{};
}

std::string lowered(std::string_view text, TargetId id,
                    const std::optional<Rule>& rule = std::nullopt) {
  const auto program = to_extended(parsed(text), target(id), rule);
  if (!program) {
    return to_string(program.error());
  }
  const Status checked = ebpf::check(*program);
  EXPECT_TRUE(checked) << to_string(checked.error());
  return "\n" + ebpf::disassemble(program->instructions);
}

constexpr std::string_view kTcp = R"(
function EN10MB {
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b3
b1:
  need 24
  v1 = load 1 [23]
  branch eq v1, 6 ? b2 : b3
b2:
  return 262144
b3:
  return 0
}
)";

TEST(ToExtended, ReadsDirectlyAtXdp) {
  EXPECT_EQ(lowered(kTcp, TargetId::kXdp), R"(
0: w0 = 1
1: r2 = *(u32 *)(r1 + 0)
2: r3 = *(u32 *)(r1 + 4)
3: r2 += 14
4: if r2 > r3 goto pc+7 <12>
5: r4 = *(u16 *)(r2 - 2)
6: if w4 != 0x8 goto pc+5 <12>
7: r2 += 10
8: if r2 > r3 goto pc+3 <12>
9: r2 = *(u8 *)(r2 - 1)
10: if w2 != 0x6 goto pc+1 <12>
11: w0 = 2
12: exit
)");
}

TEST(ToExtended, ReadsThroughTheContextAtASocket) {
  EXPECT_EQ(lowered(kTcp, TargetId::kSocket), R"(
0: r6 = r1
1: r0 = *(u16 *)skb[12]
2: if w0 != 0x800 goto pc+2 <5>
3: r0 = *(u8 *)skb[23]
4: if w0 == 0x6 goto pc+2 <7>
5: w0 = 0
6: exit
7: w0 = 262144
8: exit
)");
}

TEST(ToExtended, PullsTheRestOfAPacketInAtTc) {
  EXPECT_EQ(lowered(kTcp, TargetId::kTc), R"(
0: *(u64 *)(r10 - 8) = 0
1: w0 = 2
2: r2 = *(u32 *)(r1 + 76)
3: r3 = *(u32 *)(r1 + 80)
4: r2 += 14
5: if r2 > r3 goto pc+8 <14>
6: r4 = *(u16 *)(r2 - 2)
7: if w4 != 0x8 goto pc+5 <13>
8: r2 += 10
9: if r2 > r3 goto pc+7 <17>
10: r2 = *(u8 *)(r2 - 1)
11: if w2 != 0x6 goto pc+1 <13>
12: w0 = 0
13: exit
14: r2 = *(u32 *)(r1 + 0)
15: if w2 >= 0xe goto pc+3 <19>
16: exit
17: r2 = *(u32 *)(r1 + 0)
18: if w2 < 0x18 goto pc-6 <13>
19: r2 = *(u64 *)(r10 - 8)
20: if r2 != 0x0 goto pc-8 <13>
21: *(u64 *)(r10 - 8) = 1
22: r2 = *(u32 *)(r1 + 0)
23: *(u64 *)(r10 - 16) = r1
24: call 39
25: r1 = *(u64 *)(r10 - 16)
26: goto pc-26 <1>
)");
}

// The pointer to a base is made once; the verifier can see that 4 * (x & 15) is small.
TEST(ToExtended, SharesThePointerToABase) {
  EXPECT_EQ(lowered(R"(
function EN10MB {
b0:
  need 15
  v0 = load 1 [14]
  v1 = and v0, 0xf
  v2 = shl v1, 2
  need v2 + 18
  v3 = load 2 [v2 + 14]
  v4 = load 2 [v2 + 16]
  branch eq v3, 80 ? b1 : b2
b1:
  return 1
b2:
  return v4
}
)",
                    TargetId::kXdp),
            R"(
0: w0 = 1
1: r2 = *(u32 *)(r1 + 0)
2: r3 = *(u32 *)(r1 + 4)
3: r2 += 15
4: if r2 > r3 goto pc+12 <17>
5: r4 = *(u8 *)(r2 - 1)
6: w4 &= 15
7: w4 <<= 2
8: r2 += r4
9: r2 += 3
10: if r2 > r3 goto pc+6 <17>
11: r3 = *(u16 *)(r2 - 4)
12: r2 = *(u16 *)(r2 - 2)
13: r2 = be16 r2
14: if w3 == 0x5000 goto pc+1 <16>
15: if w2 == 0x0 goto pc+1 <17>
16: w0 = 2
17: exit
)");
}

// A base the verifier knows nothing of is compared first, as a number of 64 bits.
TEST(ToExtended, BoundsABaseForTheVerifier) {
  constexpr std::string_view kFunction = R"(
function EN10MB {
b0:
  need 4
  v0 = load 4 [0]
  need v0 + 2
  v1 = load 2 [v0 + 0]
  return v1
}
)";
  EXPECT_EQ(lowered(kFunction, TargetId::kXdp), R"(
0: w0 = 1
1: r2 = *(u32 *)(r1 + 0)
2: r3 = *(u32 *)(r1 + 4)
3: r2 += 4
4: if r2 > r3 goto pc+10 <15>
5: r4 = *(u32 *)(r2 - 4)
6: r4 = be32 r4
7: if r4 > 0xfffd goto pc+7 <15>
8: r2 += r4
9: r2 += -2
10: if r2 > r3 goto pc+4 <15>
11: r2 = *(u16 *)(r2 - 2)
12: r2 = be16 r2
13: if w2 == 0x0 goto pc+1 <15>
14: w0 = 2
15: exit
)");
  EXPECT_EQ(lowered(kFunction, TargetId::kUser), R"(
0: r2 = *(u64 *)(r1 + 0)
1: r3 = *(u64 *)(r1 + 8)
2: r2 += 4
3: if r2 > r3 goto pc+9 <13>
4: r4 = *(u32 *)(r2 - 4)
5: r4 = be32 r4
6: r2 += r4
7: r2 += -2
8: if r2 > r3 goto pc+4 <13>
9: r2 = *(u16 *)(r2 - 2)
10: r0 = r2
11: r0 = be16 r0
12: exit
13: w0 = 0
14: exit
)");
  EXPECT_EQ(lowered(kFunction, TargetId::kSocket), R"(
0: r6 = r1
1: r0 = *(u32 *)skb[0]
2: r2 = *(u32 *)(r6 + 0)
3: if w2 < 0x2 goto pc+4 <8>
4: w2 -= 2
5: if w0 > w2 goto pc+2 <8>
6: r0 = *(u16 *)skb[r0 + 0]
7: exit
8: w0 = 0
9: exit
)");
}

TEST(ToExtended, CountsForARule) {
  EXPECT_EQ(lowered(kTcp, TargetId::kXdp, Rule{.action = Action::kDrop, .text = "tcp"}), R"(
0: r2 = *(u32 *)(r1 + 0)
1: r3 = *(u32 *)(r1 + 4)
2: r4 = r2
3: r4 += 14
4: if r4 > r3 goto pc+6 <11>
5: r5 = *(u16 *)(r4 - 2)
6: if w5 != 0x8 goto pc+4 <11>
7: r4 += 10
8: if r4 > r3 goto pc+2 <11>
9: r4 = *(u8 *)(r4 - 1)
10: if w4 == 0x6 goto pc+2 <13>
11: w6 = 0
12: goto pc+1 <14>
13: w6 = 1
14: r7 = r3
15: r7 -= r2
16: *(u32 *)(r10 - 8) = r6
17: r1 = map[idx:0]
19: r2 = r10
20: r2 += -8
21: call 1
22: if r0 == 0x0 goto pc+6 <29>
23: r2 = *(u64 *)(r0 + 0)
24: r2 += 1
25: *(u64 *)(r0 + 0) = r2
26: r2 = *(u64 *)(r0 + 8)
27: r2 += r7
28: *(u64 *)(r0 + 8) = r2
29: if w6 != 0x0 goto pc+2 <32>
30: w0 = 2
31: exit
32: w0 = 1
33: exit
)");
  const auto program = to_extended(parsed(kTcp), target(TargetId::kXdp),
                                   Rule{.action = Action::kDrop, .text = "tcp"});
  ASSERT_TRUE(program);
  ASSERT_EQ(program->maps.size(), 2U);
  EXPECT_EQ(program->maps[0].name, kCounterMap);
  EXPECT_EQ(program->maps[1].name, kRuleMap);
  EXPECT_TRUE(program->maps[1].metadata);
  EXPECT_EQ(std::string(program->maps[1].data.begin(), program->maps[1].data.end()), "tcp");
}

// What comes from a classic instruction says from which; what the target asks for says nothing.
TEST(ToExtended, KeepsOrigins) {
  ir::Function function = parsed(kTcp);
  for (ir::Value& value : function.values) {
    value.origin = value.width == 2 ? 0 : value.width == 1 ? 2 : ir::kNoOrigin;
  }
  std::uint32_t origin = 1;
  for (ir::Block& block : function.blocks) {
    block.terminator.origin = origin;
    origin += 2;
  }
  const auto program = to_extended(function, target(TargetId::kSocket));
  ASSERT_TRUE(program);
  constexpr std::uint32_t kNone = ir::kNoOrigin;
  EXPECT_EQ(program->origins, (std::vector<std::uint32_t>{kNone, 0, 1, 2, 3, 7, 7, 5, 5}));
}

TEST(ToExtended, NamesTheExtensionAndTheTarget) {
  EXPECT_EQ(lowered("function EN10MB {\nb0:\n  v0 = ancillary vlan_tci\n  return v0\n}\n",
                    TargetId::kXdp),
            "the extension 'vlan_tci' is not available at xdp; it is at socket, tc, tc-egress");
  EXPECT_EQ(
      lowered("function EN10MB {\nb0:\n  v0 = ancillary nla\n  return v0\n}\n", TargetId::kXdp),
      "the extension 'nla' is not available at xdp");
}

TEST(ToExtended, HasNoRulesAtASocket) {
  EXPECT_EQ(lowered(kTcp, TargetId::kSocket, Rule{}),
            "a standing rule needs a hook that can drop packets; socket is none");
}

// At tc every check that fails looks at the rest of the packet, seldom, and comes back: there are
// more such ways than a jump reaches instructions.
TEST(ToExtended, KeepsWhatIsSeldomRunInReachInALongProgram) {
  constexpr int kTests = 8300;
  std::string text = "function EN10MB {\n";
  for (int i = 0; i < kTests; ++i) {
    text += fmt::format("b{}:\n  need {}\n  v{} = load 1 [{}]\n  branch eq v{}, 7 ? b{} : b{}\n", i,
                        i + 1, i, i, i, kTests + 1, i + 1);
  }
  text += fmt::format("b{}:\n  return 0\nb{}:\n  return 1\n}}\n", kTests, kTests + 1);
  const auto program = to_extended(parsed(text), target(TargetId::kTc));
  ASSERT_TRUE(program) << to_string(program.error());
  const Status checked = ebpf::check(*program);
  EXPECT_TRUE(checked) << to_string(checked.error());
  EXPECT_LT(program->instructions.size(), 12U * kTests);
}

}  // namespace
}  // namespace weir::lower
