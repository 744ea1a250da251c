#include <gtest/gtest.h>

#include "tests/translator/opt/pass_text.h"

namespace weir::opt {
namespace {

// `tcp and port 80`, as libpcap's code generator asks for it.
TEST(JumpThreading, PassesABranchThatIsDecidedOnTheEdge) {
  EXPECT_EQ(after("jump_threading", R"(
b0:
  need 60
  v0 = load 2 [12]
  branch eq v0, 0x86dd ? b1 : b2
b1:
  v1 = load 1 [20]
  branch eq v1, 6 ? b4 : b8
b2:
  branch eq v0, 0x800 ? b3 : b8
b3:
  v2 = load 1 [23]
  branch eq v2, 6 ? b4 : b8
b4:
  branch eq v0, 0x86dd ? b5 : b6
b5:
  v3 = load 2 [56]
  branch eq v3, 80 ? b7 : b8
b6:
  v4 = load 2 [36]
  branch eq v4, 80 ? b7 : b8
b7:
  return 1
b8:
  return 0
)"),
            R"(
b0:
  need 60
  v0 = load 2 [12]
  branch eq v0, 0x86dd ? b1 : b2
b1:
  v1 = load 1 [20]
  branch eq v1, 6 ? b4 : b7
b2:
  branch eq v0, 0x800 ? b3 : b7
b3:
  v2 = load 1 [23]
  branch eq v2, 6 ? b5 : b7
b4:
  v3 = load 2 [56]
  branch eq v3, 0x50 ? b6 : b7
b5:
  v4 = load 2 [36]
  branch eq v4, 0x50 ? b6 : b7
b6:
  return 1
b7:
  return 0
)");
}

TEST(JumpThreading, GoesOnThroughParameters) {
  // With 4 for v1, b1 goes to b2; what it hands on is computed where the edge begins.
  EXPECT_EQ(after("jump_threading", R"(
b0:
  v0 = length
  branch gt v0, 9 ? b1(4, v0) : b1(v0, 5)
b1(v1, v2):
  v3 = add v1, 1
  v4 = add v3, v2
  branch eq v3, 5 ? b2(v4) : b3
b2(v5):
  return v5
b3:
  return 3
)"),
            R"(
b0:
  v0 = length
  v1 = add v0, 5
  branch gt v0, 9 ? b2(v1) : b1(v0, 5)
b1(v2, v3):
  v4 = add v2, 1
  v5 = add v3, v4
  branch eq v2, 4 ? b2(v5) : b3
b2(v6):
  return v6
b3:
  return 3
)");
}

TEST(JumpThreading, DoesNotPassNeedsThatCouldFail) {
  constexpr char kNeed[] = R"(
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b2 : b1
b1:
  v1 = length
  branch eq v1, 7 ? b2 : b4
b2:
  need 30
  branch eq v0, 0x800 ? b3 : b4
b3:
  return 1
b4:
  return 0
)";
  EXPECT_EQ(after("jump_threading", kNeed), kNeed);
}

TEST(JumpThreading, MakesAnewWhatThePassedBlockComputed) {
  // b3 is passed from b1, where v2 was loaded already as v1.
  EXPECT_EQ(after("jump_threading", R"(
b0:
  need 40
  v0 = length
  branch gt v0, 9 ? b1 : b2
b1:
  v1 = load 2 [12]
  branch eq v1, 7 ? b3 : b6
b2:
  need 50
  jump b3
b3:
  v2 = load 2 [12]
  branch eq v2, 7 ? b4 : b5
b4:
  v3 = add v2, v0
  return v3
b5:
  return 0
b6:
  return 2
)"),
            R"(
b0:
  need 40
  v0 = length
  branch gt v0, 9 ? b1 : b2
b1:
  v1 = load 2 [12]
  branch eq v1, 7 ? b4 : b6
b2:
  need 50
  jump b3
b3:
  v2 = load 2 [12]
  branch eq v2, 7 ? b4 : b5
b4:
  v3 = load 2 [12]
  v4 = add v0, v3
  return v4
b5:
  return 0
b6:
  return 2
)");
}

// Where v1 is 5 its lowest bit is 1, and the second test leads to b3 just as well.
TEST(JumpThreading, LeavesOutATestThatSaysNothing) {
  EXPECT_EQ(after("jump_threading", R"(
b0:
  need 15
  v0 = load 1 [14]
  v1 = load 1 [13]
  branch eq v1, 5 ? b4 : b1
b1:
  branch eq v0, 5 ? b3 : b2
b2:
  branch set v0, 1 ? b3 : b4
b3:
  return 1
b4:
  return 0
)"),
            R"(
b0:
  need 15
  v0 = load 1 [14]
  v1 = load 1 [13]
  branch eq v1, 5 ? b4 : b1
b1:
  jump b2
b2:
  branch set v0, 1 ? b3 : b4
b3:
  return 1
b4:
  return 0
)");
}

TEST(JumpThreading, DoesNotPassABlockWhoseParametersAreUsedBehindIt) {
  EXPECT_EQ(after("jump_threading", R"(
b0:
  v0 = length
  branch gt v0, 9 ? b1(4) : b1(v0)
b1(v1):
  branch eq v1, 4 ? b2 : b3
b2:
  return 1
b3:
  v2 = add v1, v0
  return v2
)"),
            R"(
b0:
  v0 = length
  branch gt v0, 9 ? b1(4) : b1(v0)
b1(v1):
  branch eq v1, 4 ? b2 : b3
b2:
  return 1
b3:
  v2 = add v0, v1
  return v2
)");
}

// Passed on the way from the first block, b1 would leave v1 to be made anew in three blocks, and
// the load at v1 + 16 would be at another value than the needs asked for.
TEST(JumpThreading, KeepsTheBlockThatComputesWhereALoadIs) {
  const std::string text = R"(
b0:
  need 24
  v0 = load 1 [23]
  jump b1
b1:
  need 15
  v1 = load 1 [14]
  jump b2
b2:
  branch gt v0, 0x14 ? b3 : b4
b3:
  need v1 + 31
  jump b4
b4:
  need v1 + 18
  v2 = load 2 [v1 + 16]
  branch eq v1, v2 ? b5 : b6
b5:
  return 0
b6:
  return 0x40000
)";
  const std::string left = after("jump_threading", text);
  EXPECT_NE(left.find("  need 15\n  v1 = load 1 [14]\n"), std::string::npos) << left;
}

}  // namespace
}  // namespace weir::opt
