#include <gtest/gtest.h>

#include "tests/translator/opt/pass_text.h"

namespace weir::opt {
namespace {

TEST(DeadCode, DropsValuesNothingUsesAndWhatOnlyTheyUse) {
  EXPECT_EQ(after("dead_code", R"(
b0:
  need 20
  v0 = load 4 [16]
  v1 = length
  v2 = add v1, 7
  v3 = mul v2, v0
  v4 = ancillary mark
  return v0
)"),
            R"(
b0:
  need 20
  v0 = load 4 [16]
  return v0
)");
}

TEST(DeadCode, KeepsEffectsAndWhatTheyUse) {
  constexpr char kAll[] = R"(
b0:
  need 1
  v0 = load 1 [0]
  v1 = add v0, 1
  need v1 + 9
  guard v0
  return 3
)";
  EXPECT_EQ(after("dead_code", kAll), kAll);
}

TEST(DeadCode, DropsParametersWithTheirArguments) {
  // v4 is only handed on to v6, which nothing uses; v7 is returned.
  EXPECT_EQ(after("dead_code", R"(
b0:
  v0 = length
  v1 = add v0, 1
  v2 = add v0, 2
  branch eq v0, 1 ? b1(v1, v2) : b2(v1, 5)
b1(v3, v4):
  jump b2(v4, v3)
b2(v6, v7):
  return v7
)"),
            R"(
b0:
  v0 = length
  v1 = add v0, 1
  branch eq v0, 1 ? b1(v1) : b2(5)
b1(v2):
  jump b2(v2)
b2(v3):
  return v3
)");
}

TEST(DeadCode, KeepsWhatASwitchReads) {
  constexpr char kSwitch[] = R"(
b0:
  v0 = length
  v1 = add v0, 1
  switch v0 { 1 => b1(v1), 2..3 => b2, else => b2 }
b1(v2):
  return v2
b2:
  return 0
)";
  EXPECT_EQ(after("dead_code", kSwitch), kSwitch);
}

TEST(DeadCode, DropsBlocksNoWayLeadsTo) {
  auto function = ir::parse(R"(function EN10MB {
b0:
  v0 = length
  jump b3(v0)
b1:
  v1 = length
  jump b2
b2:
  jump b3(0)
b3(v2):
  return v2
})");
  ASSERT_TRUE(function.has_value());
  PassOptions options;
  options.passes = {"dead_code"};
  ASSERT_TRUE(run_passes(*function, options).has_value());
  EXPECT_EQ(ir::print(*function), R"(function EN10MB {
b0:
  v0 = length
  jump b1(v0)
b1(v1):
  return v1
}
)");
}

}  // namespace
}  // namespace weir::opt
