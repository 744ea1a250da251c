#include <gtest/gtest.h>

#include "tests/translator/opt/pass_text.h"

namespace weir::opt {
namespace {

TEST(Facts, ASecondTestOfOneThingIsDecided) {
  EXPECT_EQ(after("facts", R"(
b0:
  v0 = length
  branch ge v0, 100 ? b1 : b2
b1:
  branch lt v0, 50 ? b5 : b3
b2:
  branch eq v0, 200 ? b5 : b4
b3:
  branch set v0, 0xffffffff ? b6 : b5
b4:
  return 4
b5:
  return 5
b6:
  return 6
)"),
            R"(
b0:
  v0 = length
  branch ge v0, 0x64 ? b1 : b2
b1:
  jump b3
b2:
  jump b4
b3:
  jump b5
b4:
  return 4
b5:
  return 6
)");
}

// Nothing in the function is 0 before: the number it ends with is new.
TEST(Facts, AGuardThatFailsEndsTheFilter) {
  EXPECT_EQ(after("facts", R"(
b0:
  v0 = length
  branch ge v0, 1 ? b2 : b1
b1:
  guard v0
  v1 = div 7, v0
  return v1
b2:
  return 1
)"),
            R"(
b0:
  v0 = length
  branch eq v0, 0 ? b1 : b2
b1:
  guard v0
  return 0
b2:
  return 1
)");
}

TEST(Facts, AHeaderLengthIsAMultipleOfFourUpToSixty) {
  EXPECT_EQ(after("facts", R"(
b0:
  need 15
  v0 = load 1 [14]
  v1 = and v0, 15
  v2 = shl v1, 2
  branch gt v2, 60 ? b4 : b1
b1:
  branch set v2, 3 ? b4 : b2
b2:
  branch eq v2, 22 ? b4 : b3
b3:
  return 1
b4:
  return 0
)"),
            R"(
b0:
  need 15
  jump b1
b1:
  jump b2
b2:
  jump b3
b3:
  return 1
)");
}

TEST(Facts, OneOfSeveralBitsIsRemembered) {
  EXPECT_EQ(after("facts", R"(
b0:
  need 22
  v0 = load 2 [20]
  branch set v0, 0x1fff ? b1 : b5
b1:
  branch clear v0, 0x1fff ? b5 : b2
b2:
  v1 = and v0, 0x1fff
  branch eq v1, 0 ? b5 : b3
b3:
  branch set v0, 0xfff ? b4 : b5
b4:
  return 1
b5:
  return 0
)"),
            R"(
b0:
  need 22
  v0 = load 2 [20]
  branch set v0, 0x1fff ? b1 : b5
b1:
  jump b2
b2:
  jump b3
b3:
  branch set v0, 0xfff ? b4 : b5
b4:
  return 1
b5:
  return 0
)");
}

TEST(Facts, BitsOfAMaskedValueAreKnownOfTheValue) {
  EXPECT_EQ(after("facts", R"(
b0:
  need 14
  v0 = load 2 [12]
  v1 = and v0, 0xff00
  branch eq v1, 0x800 ? b1 : b3
b1:
  branch set v0, 0x4000 ? b3 : b2
b2:
  branch ge v0, 0x880 ? b3 : b4
b3:
  return 0
b4:
  return 1
)"),
            R"(
b0:
  need 14
  v0 = load 2 [12]
  v1 = and v0, 0xff00
  branch eq v1, 0x800 ? b1 : b3
b1:
  jump b2
b2:
  branch ge v0, 0x880 ? b3 : b4
b3:
  return 0
b4:
  return 1
)");
}

TEST(Facts, NumbersItIsNotStayKnownWhereWaysMeet) {
  EXPECT_EQ(after("facts", R"(
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x86dd ? b6 : b1
b1:
  v1 = length
  branch gt v1, 100 ? b2 : b3
b2:
  jump b4(1)
b3:
  branch eq v0, 0x800 ? b4(2) : b5
b4(v2):
  branch eq v0, 0x86dd ? b6 : b5
b5:
  return 0
b6:
  return 1
)"),
            R"(
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x86dd ? b6 : b1
b1:
  v1 = length
  branch gt v1, 0x64 ? b2 : b3
b2:
  jump b4
b3:
  branch eq v0, 0x800 ? b4 : b5
b4:
  jump b5
b5:
  return 0
b6:
  return 1
)");
}

TEST(Facts, ParametersKnowWhatComesAlongTheEdges) {
  EXPECT_EQ(after("facts", R"(
b0:
  v0 = length
  branch eq v0, 7 ? b1(v0, 3) : b1(9, v0)
b1(v1, v2):
  branch eq v2, 7 ? b2 : b3
b2:
  return v1
b3:
  branch ge v1, 10 ? b4 : b5
b4:
  return 0
b5:
  return v2
)"),
            R"(
b0:
  v0 = length
  branch eq v0, 7 ? b1(3) : b1(v0)
b1(v1):
  jump b2
b2:
  jump b3
b3:
  return v1
)");
}

TEST(Facts, TwoValuesComparedOnceAreComparedForGood) {
  EXPECT_EQ(after("facts", R"(
b0:
  need 2
  v0 = load 1 [0]
  v1 = load 1 [1]
  branch gt v0, v1 ? b1 : b2
b1:
  branch eq v1, v0 ? b4 : b3
b2:
  branch lt v1, v0 ? b4 : b3
b3:
  return 3
b4:
  return 4
)"),
            R"(
b0:
  need 2
  v0 = load 1 [0]
  v1 = load 1 [1]
  branch gt v0, v1 ? b1 : b2
b1:
  jump b3
b2:
  jump b3
b3:
  return 3
)");
}

TEST(Facts, ASwitchTellsItsEdges) {
  EXPECT_EQ(after("facts", R"(
b0:
  v0 = length
  switch v0 { 1..9 => b1, 20 => b2, else => b3 }
b1:
  branch gt v0, 9 ? b5 : b4
b2:
  return v0
b3:
  branch eq v0, 20 ? b5 : b4
b4:
  return 4
b5:
  return 5
)"),
            R"(
b0:
  v0 = length
  switch v0 { 1..9 => b1, 0x14 => b2, else => b3 }
b1:
  jump b4
b2:
  return 20
b3:
  jump b4
b4:
  return 4
)");
}

TEST(Facts, AGuardKnowsThatItsValueIsNotZero) {
  EXPECT_EQ(after("facts", R"(
b0:
  v0 = length
  guard v0
  v1 = div 100, v0
  branch eq v0, 0 ? b1 : b2
b1:
  return 1
b2:
  return v1
)"),
            R"(
b0:
  v0 = length
  guard v0
  v1 = div 0x64, v0
  jump b1
b1:
  return v1
)");
}

}  // namespace
}  // namespace weir::opt
