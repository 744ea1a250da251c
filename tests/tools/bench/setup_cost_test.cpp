#include "tools/bench/setup_cost.h"

#include <gtest/gtest.h>

namespace weir::bench {
namespace {

TEST(SetupCost, HasEveryStageOfEveryTarget) {
  const auto cost = setup_cost("tcp port 80", {.load = false});
  ASSERT_TRUE(cost) << to_string(cost.error());
  EXPECT_GT(cost->front_end_ns, 0);
  EXPECT_GT(cost->classic_ns, 0);
  EXPECT_GT(cost->classic_instructions, 10U);
  ASSERT_EQ(cost->targets.size(), 4U);
  for (const TargetCost& target : cost->targets) {
    EXPECT_EQ(target.skipped, "");
    EXPECT_GT(target.instructions, 10U);
    EXPECT_GT(target.build_ns, 0);
    EXPECT_GT(target.optimise_ns, 0);
    EXPECT_GT(target.lower_ns, 0);
    EXPECT_FALSE(target.load);
    EXPECT_GT(cost->total_ns(target.target).value_or(0), cost->front_end_ns);
  }
}

TEST(SetupCost, AnExpressionThatIsWrongIsSaid) {
  const auto cost = setup_cost("tcp prot 80", {.load = false});
  ASSERT_FALSE(cost);
  EXPECT_EQ(cost.error().code, ErrorCode::kSyntax);
}

TEST(SetupCost, LibpcapOptimisesInItsOwnProcess) {
  const auto made = compile_by_peer("tcp port 80", {.optimize = true}, 10);
  ASSERT_TRUE(made) << to_string(made.error());
  const auto plain = cbpf::compile("tcp port 80", {.optimize = true});
  ASSERT_TRUE(plain);
  EXPECT_EQ(made->program, *plain);
  EXPECT_GT(made->ns, 0);
  EXPECT_FALSE(compile_by_peer("tcp prot 80", {}, 10));
}

}  // namespace
}  // namespace weir::bench
