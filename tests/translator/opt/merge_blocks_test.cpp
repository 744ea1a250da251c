#include <gtest/gtest.h>

#include "tests/translator/opt/pass_text.h"

namespace weir::opt {
namespace {

TEST(MergeBlocks, JoinsStraightLines) {
  EXPECT_EQ(after("merge_blocks", R"(
b0:
  v0 = length
  jump b1(v0, 3)
b1(v1, v2):
  v3 = add v1, v2
  jump b2(v3)
b2(v4):
  branch gt v4, v1 ? b3 : b4
b3:
  return 1
b4:
  return v4
)"),
            R"(
b0:
  v0 = length
  v1 = add v0, 3
  branch gt v1, v0 ? b1 : b2
b1:
  return 1
b2:
  return v1
)");
}

TEST(MergeBlocks, PassesBlocksThatOnlyJump) {
  EXPECT_EQ(after("merge_blocks", R"(
b0:
  v0 = length
  branch gt v0, 9 ? b1 : b2
b1:
  jump b3
b2:
  jump b4(v0)
b3:
  jump b4(7)
b4(v1):
  v2 = add v1, v1
  branch gt v2, 20 ? b5 : b6
b5:
  return v2
b6:
  return 0
)"),
            R"(
b0:
  v0 = length
  branch gt v0, 9 ? b1(7) : b1(v0)
b1(v1):
  v2 = add v1, v1
  branch gt v2, 0x14 ? b2 : b3
b2:
  return v2
b3:
  return 0
)");
}

// The ports of TCP and of UDP.
TEST(MergeBlocks, MakesOneOfBlocksThatDoTheSame) {
  EXPECT_EQ(after("merge_blocks", R"(
b0:
  need 40
  v0 = load 1 [23]
  branch eq v0, 6 ? b1 : b2
b1:
  v1 = load 2 [34]
  branch eq v1, 80 ? b7 : b4
b2:
  branch eq v0, 17 ? b3 : b8
b3:
  v2 = load 2 [34]
  branch eq v2, 80 ? b7 : b5
b4:
  v3 = load 2 [36]
  branch eq v3, 80 ? b6 : b8
b5:
  v4 = load 2 [36]
  branch eq v4, 80 ? b7 : b9
b6:
  return 1
b7:
  return 1
b8:
  return 0
b9:
  return 0
)"),
            R"(
b0:
  need 40
  v0 = load 1 [23]
  branch eq v0, 6 ? b2 : b1
b1:
  branch eq v0, 0x11 ? b2 : b5
b2:
  v1 = load 2 [34]
  branch eq v1, 0x50 ? b4 : b3
b3:
  v2 = load 2 [36]
  branch eq v2, 0x50 ? b4 : b5
b4:
  return 1
b5:
  return 0
)");
}

TEST(MergeBlocks, KeepsBlocksThatDiffer) {
  constexpr char kDifferent[] = R"(
b0:
  v0 = length
  switch v0 { 1 => b1, 2 => b2, 3 => b3, 4 => b4, else => b5 }
b1:
  need 3
  return 1
b2:
  need 4
  return 1
b3:
  need 3
  return 2
b4:
  v1 = ancillary mark
  branch gt v0, v1 ? b6 : b7
b5:
  v2 = ancillary mark
  branch ge v0, v2 ? b6 : b7
b6:
  return 0
b7:
  return 9
)";
  EXPECT_EQ(after("merge_blocks", kDifferent), kDifferent);
}

// Both blocks look alike, but what follows reads the value of each.
TEST(MergeBlocks, KeepsBlocksWhoseValuesAreUsedBehindThem) {
  constexpr char kUsed[] = R"(
b0:
  need 8
  v0 = length
  branch gt v0, 9 ? b1 : b2
b1:
  v1 = load 4 [4]
  branch eq v1, 7 ? b3 : b4
b2:
  v2 = load 4 [4]
  branch eq v2, 7 ? b3 : b5
b3:
  return 3
b4:
  return v1
b5:
  return v2
)";
  EXPECT_EQ(after("merge_blocks", kUsed), kUsed);
}

TEST(MergeBlocks, AJumpToABareReturnReturns) {
  EXPECT_EQ(after("merge_blocks", R"(
b0:
  v0 = length
  branch gt v0, 9 ? b1 : b2
b1:
  need 20
  jump b2
b2:
  return v0
)"),
            R"(
b0:
  v0 = length
  branch gt v0, 9 ? b1 : b2
b1:
  need 20
  return v0
b2:
  return v0
)");
}

}  // namespace
}  // namespace weir::opt
