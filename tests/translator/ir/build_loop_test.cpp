// What build() makes of backward jumps: a function that repeats, or an unrolled one.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/translator/ir/built.h"
#include "translator/ir/build/unroll.h"

namespace weir::ir {
namespace {

// A is counted down from the length to 5.
const std::vector<Instruction> kCountDown = {kLoadLength,
                                             {kAlu | kSub | kK, 0, 0, 1},
                                             {kJmp | kJgt | kK, 0, 1, 5},
                                             {kJmp | kJa, 0, 0, 0U - 3},
                                             kReturnA};

TEST(BuildLoop, RepeatsTheFunctionWithWhatTheHeadWants) {
  EXPECT_EQ(built(kCountDown, kPcap), R"(
b0:
  v0 = loop_state 0
  switch v0 { 1 => b1, else => b2 }
b1:
  v1 = loop_state 2
  v2 = loop_state 1
  jump b3(v1, v2)
b2:
  v3 = length
  jump b3(v3, 0)
b3(v4, v5):
  v6 = sub v4, 1
  branch gt v6, 5 ? b4 : b7
b4:
  branch eq v5, 0 ? b6 : b5
b5:
  v7 = sub v5, 1
  v8 = shl v7, 3
  need v8 + 8
  jump b6
b6:
  v9 = add v5, 1
  repeat (1, v9, v6)
b7:
  return v6
)");
}

TEST(BuildLoop, UnrolledIsThereOnceAnIterationAndEndsWith0PastTheLast) {
  EXPECT_EQ(
      built(kCountDown, kPcap, kLinkTypeEthernet, {.form = Loops::Form::kUnrolled, .most = 2}), R"(
b0:
  v0 = length
  jump b1
b1:
  v1 = sub v0, 1
  branch gt v1, 5 ? b2 : b7(v1)
b2:
  jump b3
b3:
  v2 = sub v1, 1
  branch gt v2, 5 ? b4 : b7(v2)
b4:
  jump b5
b5:
  v3 = sub v2, 1
  branch gt v3, 5 ? b6 : b7(v3)
b6:
  return 0
b7(v4):
  return v4
)");
}

TEST(BuildLoop, ABoundEndsTheFilterWhereAVerifierMustSeeTheEnd) {
  const std::string text =
      built(kCountDown, kPcap, kLinkTypeEthernet, {.form = Loops::Form::kRepeat, .most = 188});
  EXPECT_NE(text.find("branch lt v5, 0xbc ? "), std::string::npos) << text;
}

TEST(BuildLoop, TwoPathsBackToOneHeadShareTheIterations) {
  // libpcap's ip6 protochain goes back for extension headers and for AH.
  const auto program = validate(compile("ip6 protochain 6").value());
  ASSERT_TRUE(program.has_value());
  const auto flow = control_flow(*program, {});
  ASSERT_TRUE(flow.has_value());
  std::vector<std::uint32_t> heads;
  for (const FlowBlock& block : *flow) {
    if (block.loop_head != kNoFlow) heads.push_back(block.loop_head);
  }
  ASSERT_EQ(heads.size(), 2U);
  EXPECT_EQ(heads[0], heads[1]);
}

TEST(BuildLoop, TooLongAnUnrollingIsRefused) {
  std::vector<Instruction> code(40000, {kAlu | kAdd | kK, 0, 0, 1});
  code.push_back({kJmp | kJgt | kK, 0, 1, 5});
  code.push_back({kJmp | kJa, 0, 0, 0U - 3});
  code.push_back(kReturnA);
  const Loops unrolled = {.form = Loops::Form::kUnrolled, .most = 32};
  EXPECT_NE(built(code, kPcap, kLinkTypeEthernet, unrolled).find("return"), std::string::npos);
  code[40001].k = 0U - 40002;
  EXPECT_EQ(built(code, kPcap, kLinkTypeEthernet, unrolled),
            "the loops of the program unroll to 1320066 instructions, more than 1048576");
  EXPECT_NE(built(code, kPcap).find("repeat"), std::string::npos);
}

}  // namespace
}  // namespace weir::ir
