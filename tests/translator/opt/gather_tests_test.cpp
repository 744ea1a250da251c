#include <gtest/gtest.h>

#include "tests/translator/opt/pass_text.h"

namespace weir::opt {
namespace {

TEST(GatherTests, TestsOfOneValueStandTogether) {
  EXPECT_EQ(after("gather_tests", R"(
b0:
  need 34
  v0 = load 4 [26]
  branch eq v0, 1 ? b4 : b1
b1:
  v1 = load 4 [30]
  branch eq v1, 1 ? b4 : b2
b2:
  branch ne v0, 2 ? b3 : b4
b3:
  branch eq v1, 2 ? b4 : b5
b4:
  return 1
b5:
  return 0
)"),
            R"(
b0:
  need 34
  v0 = load 4 [26]
  v1 = load 4 [30]
  branch eq v0, 1 ? b4 : b1
b1:
  branch eq v0, 2 ? b4 : b2
b2:
  branch eq v1, 1 ? b4 : b3
b3:
  branch eq v1, 2 ? b4 : b5
b4:
  return 1
b5:
  return 0
)");
}

// A short packet that has the first number is accepted, one that has the third is not.
TEST(GatherTests, NoTestPassesANeed) {
  constexpr char kNeed[] = R"(
b0:
  need 30
  v0 = load 4 [26]
  branch eq v0, 1 ? b3 : b1
b1:
  need 34
  v1 = load 4 [30]
  branch eq v1, 1 ? b3 : b2
b2:
  branch eq v0, 2 ? b3 : b4
b3:
  return 1
b4:
  return 0
)";
  EXPECT_EQ(after("gather_tests", kNeed), kNeed);
}

// What the second test hands on is another number.
TEST(GatherTests, OneChainHasOneEdge) {
  constexpr char kEdges[] = R"(
b0:
  need 8
  v0 = load 4 [0]
  v1 = load 4 [4]
  branch eq v0, 1 ? b3(v0) : b1
b1:
  branch eq v1, 1 ? b3(v1) : b2
b2:
  branch eq v0, 2 ? b3(v0) : b4
b3(v2):
  return v2
b4:
  return 0
)";
  EXPECT_EQ(after("gather_tests", kEdges), kEdges);
}

// Whoever comes in the middle has not answered what stands before.
TEST(GatherTests, NoTestPassesAnotherWayIn) {
  constexpr char kWay[] = R"(
b0:
  need 8
  v0 = load 4 [0]
  v1 = load 4 [4]
  v2 = length
  branch gt v2, 0x64 ? b1 : b2
b1:
  branch eq v0, 1 ? b4 : b2
b2:
  branch eq v1, 1 ? b4 : b3
b3:
  branch eq v0, 2 ? b4 : b5
b4:
  return 1
b5:
  return 0
)";
  EXPECT_EQ(after("gather_tests", kWay), kWay);
}

// The tests of a conjunction all lead to one place when they fail.
TEST(GatherTests, ComparesOfAnyKind) {
  EXPECT_EQ(after("gather_tests", R"(
b0:
  need 34
  v0 = load 1 [23]
  branch eq v0, 1 ? b5 : b1
b1:
  v1 = load 4 [30]
  branch eq v1, 7 ? b2 : b5
b2:
  branch gt v0, 6 ? b5 : b3
b3:
  branch set v1, 1 ? b4 : b5
b4:
  return 1
b5:
  return 0
)"),
            R"(
b0:
  need 34
  v0 = load 1 [23]
  v1 = load 4 [30]
  branch eq v0, 1 ? b5 : b1
b1:
  branch gt v0, 6 ? b5 : b2
b2:
  branch ne v1, 7 ? b5 : b3
b3:
  branch clear v1, 1 ? b5 : b4
b4:
  return 1
b5:
  return 0
)");
}

}  // namespace
}  // namespace weir::opt
