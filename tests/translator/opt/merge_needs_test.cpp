#include <gtest/gtest.h>

#include "tests/translator/opt/pass_text.h"

namespace weir::opt {
namespace {

TEST(MergeNeeds, TheFirstNeedAsksForAllThatEveryAcceptingWayAsksFor) {
  EXPECT_EQ(after("merge_needs", R"(
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  need 24
  v1 = load 1 [23]
  branch eq v1, 6 ? b3 : b5
b2:
  need 21
  v2 = load 1 [20]
  branch eq v2, 6 ? b3 : b5
b3:
  need 40
  v3 = load 1 [39]
  branch eq v3, 7 ? b4 : b5
b4:
  return 1
b5:
  return 0
)"),
            R"(
b0:
  need 40
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  v1 = load 1 [23]
  branch eq v1, 6 ? b3 : b5
b2:
  v2 = load 1 [20]
  branch eq v2, 6 ? b3 : b5
b3:
  v3 = load 1 [39]
  branch eq v3, 7 ? b4 : b5
b4:
  return 1
b5:
  return 0
)");
}

// `ether[12:2] = 0x800 or ether[100] = 1`: a packet of 14 bytes can be accepted.
TEST(MergeNeeds, AWayThatAcceptsShortPacketsAsksForNoMore) {
  constexpr char kShort[] = R"(
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b2 : b1
b1:
  need 101
  v1 = load 1 [100]
  branch eq v1, 1 ? b2 : b3
b2:
  return 1
b3:
  return 0
)";
  EXPECT_EQ(after("merge_needs", kShort), kShort);
}

TEST(MergeNeeds, AReturnOfAValueCanAccept) {
  constexpr char kValue[] = R"(
b0:
  need 2
  v0 = load 2 [0]
  branch eq v0, 0 ? b1 : b2
b1:
  v1 = length
  return v1
b2:
  need 9
  return 7
)";
  EXPECT_EQ(after("merge_needs", kValue), kValue);
}

TEST(MergeNeeds, BasesAreMergedEachOnItsOwn) {
  EXPECT_EQ(after("merge_needs", R"(
b0:
  need 2
  v0 = load 1 [0]
  v1 = load 1 [1]
  need v0 + 10
  v2 = load 1 [v0 + 9]
  need v1 + 4
  v3 = load 1 [v1 + 3]
  branch eq v2, v3 ? b1 : b2
b1:
  need v0 + 30
  need v1 + 3
  need v0 + 20
  return 1
b2:
  return 0
)"),
            R"(
b0:
  need 2
  v0 = load 1 [0]
  v1 = load 1 [1]
  need v0 + 30
  v2 = load 1 [v0 + 9]
  need v1 + 4
  v3 = load 1 [v1 + 3]
  branch eq v2, v3 ? b1 : b2
b1:
  return 1
b2:
  return 0
)");
}

TEST(MergeNeeds, WhereWaysMeetTheLesserIsKnown) {
  EXPECT_EQ(after("merge_needs", R"(
b0:
  v0 = length
  branch eq v0, 60 ? b1 : b2
b1:
  need 20
  need 30
  branch gt v0, 7 ? b3 : b4
b2:
  need 10
  branch gt v0, 8 ? b3 : b4
b3:
  need 20
  guard v0
  guard v0
  return 1
b4:
  need 10
  return 2
)"),
            R"(
b0:
  v0 = length
  branch eq v0, 0x3c ? b1 : b2
b1:
  need 30
  branch gt v0, 7 ? b3 : b4
b2:
  need 10
  branch gt v0, 8 ? b3 : b4
b3:
  need 20
  guard v0
  return 1
b4:
  return 2
)");
}

TEST(MergeNeeds, WhatCannotAcceptReturnsZeroAtOnce) {
  EXPECT_EQ(after("merge_needs", R"(
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  need 20
  v1 = load 1 [19]
  branch eq v1, 2 ? b3 : b4
b2:
  return 2
b3:
  return 0
b4:
  return 0
)"),
            R"(
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  return 0
b2:
  return 2
)");
}

}  // namespace
}  // namespace weir::opt
