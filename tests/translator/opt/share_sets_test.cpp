#include <gtest/gtest.h>

#include "tests/translator/opt/pass_text.h"

namespace weir::opt {
namespace {

TEST(ShareSets, EqualSetsAreOne) {
  EXPECT_EQ(after("share_sets", R"(
s0 = set 1 { 7, 9 }
s1 = set 1 { 7, 9 }
b0:
  need 8
  v0 = load 4 [0]
  v1 = in s0, v0
  branch ne v1, 0 ? b2 : b1
b1:
  v2 = load 4 [4]
  v3 = in s1, v2
  branch ne v3, 0 ? b2 : b3
b2:
  return 1
b3:
  return 0
)"),
            R"(
s0 = set 1 { 7, 9 }
b0:
  need 8
  v0 = load 4 [0]
  v1 = in s0, v0
  branch ne v1, 0 ? b2 : b1
b1:
  v2 = load 4 [4]
  v3 = in s0, v2
  branch ne v3, 0 ? b2 : b3
b2:
  return 1
b3:
  return 0
)");
}

// The last test may ask for 3 too, which cannot come.
TEST(ShareSets, ALargerSetDoesAsWellWhereTheRestCannotCome) {
  EXPECT_EQ(after("share_sets", R"(
s0 = set 1 { 3, 7, 9 }
s1 = set 1 { 7, 9 }
b0:
  need 4
  v0 = load 4 [0]
  branch eq v0, 3 ? b3 : b1
b1:
  need 8
  v1 = load 4 [4]
  v2 = in s0, v1
  branch ne v2, 0 ? b3 : b2
b2:
  v3 = in s1, v0
  branch ne v3, 0 ? b3 : b4
b3:
  return 1
b4:
  return 0
)"),
            R"(
s0 = set 1 { 3, 7, 9 }
b0:
  need 4
  v0 = load 4 [0]
  branch eq v0, 3 ? b3 : b1
b1:
  need 8
  v1 = load 4 [4]
  v2 = in s0, v1
  branch ne v2, 0 ? b3 : b2
b2:
  v3 = in s0, v0
  branch ne v3, 0 ? b3 : b4
b3:
  return 1
b4:
  return 0
)");
}

// Where 3 comes on another way, or the answer is asked for twice, the set stays as it is.
TEST(ShareSets, OthersStay) {
  constexpr char kTwoWays[] = R"(
s0 = set 1 { 3, 7, 9 }
s1 = set 1 { 7, 9 }
b0:
  need 8
  v0 = load 4 [0]
  v1 = load 4 [4]
  branch eq v1, 5 ? b1 : b2
b1:
  branch eq v0, 3 ? b4 : b3
b2:
  v2 = in s0, v1
  branch ne v2, 0 ? b4 : b3
b3:
  v3 = in s1, v0
  branch ne v3, 0 ? b4 : b5
b4:
  return 1
b5:
  return 0
)";
  EXPECT_EQ(after("share_sets", kTwoWays), kTwoWays);
}

}  // namespace
}  // namespace weir::opt
