#include <gtest/gtest.h>

#include "tests/translator/opt/pass_text.h"

namespace weir::opt {
namespace {

TEST(Sink, WhatOneSideUsesIsMadeThere) {
  EXPECT_EQ(after("sink", R"(
b0:
  need 20
  v0 = load 1 [14]
  v1 = and v0, 15
  v2 = load 2 [12]
  branch eq v2, 0x800 ? b1 : b3
b1:
  need 30
  branch eq v1, 5 ? b2 : b3
b2:
  return 1
b3:
  return 0
)"),
            R"(
b0:
  need 20
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b3
b1:
  need 30
  v1 = load 1 [14]
  v2 = and v1, 0xf
  branch eq v2, 5 ? b2 : b3
b2:
  return 1
b3:
  return 0
)");
}

TEST(Sink, WhatBothSidesUseStays) {
  constexpr char kBoth[] = R"(
b0:
  need 20
  v0 = load 1 [14]
  v1 = length
  branch eq v1, 0x63 ? b1 : b2
b1:
  return v0
b2:
  v2 = add v0, v1
  return v2
)";
  EXPECT_EQ(after("sink", kBoth), kBoth);
}

TEST(Sink, ValuesStandBeforeTheNeedsThatUseThem) {
  EXPECT_EQ(after("sink", R"(
b0:
  need 20
  v0 = load 1 [14]
  v1 = shl v0, 2
  v2 = length
  branch gt v2, 60 ? b1 : b2
b1:
  need 40
  need v1 + 4
  v3 = load 4 [v1 + 0]
  branch eq v3, v1 ? b3 : b2
b2:
  return 0
b3:
  return v0
)"),
            R"(
b0:
  need 20
  v0 = length
  branch gt v0, 0x3c ? b1 : b2
b1:
  need 40
  v1 = load 1 [14]
  v2 = shl v1, 2
  need v2 + 4
  v3 = load 4 [v2 + 0]
  branch eq v3, v2 ? b3 : b2
b2:
  return 0
b3:
  return v1
)");
}

TEST(Sink, GoesPastBlocksThatDoNotUseIt) {
  EXPECT_EQ(after("sink", R"(
b0:
  v0 = ancillary mark
  v1 = add v0, 3
  v2 = length
  branch gt v2, 9 ? b1 : b3
b1:
  need 30
  branch gt v2, 10 ? b2(v1) : b3
b2(v3):
  return v3
b3:
  return 0
)"),
            R"(
b0:
  v0 = length
  branch gt v0, 9 ? b1 : b3
b1:
  need 30
  v1 = ancillary mark
  v2 = add v1, 3
  branch gt v0, 0xa ? b2(v2) : b3
b2(v3):
  return v3
b3:
  return 0
)");
}

}  // namespace
}  // namespace weir::opt
