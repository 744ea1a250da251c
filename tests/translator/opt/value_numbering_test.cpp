#include <gtest/gtest.h>

#include "tests/translator/opt/pass_text.h"

namespace weir::opt {
namespace {

TEST(ValueNumbering, SharesLoadsOnTheWayButNotAcrossBranches) {
  EXPECT_EQ(after("value_numbering", R"(
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  need 14
  v1 = load 2 [12]
  need 24
  v2 = load 1 [23]
  branch eq v2, v1 ? b3 : b4
b2:
  need 14
  v3 = load 2 [12]
  need 24
  v4 = load 1 [23]
  branch gt v4, v3 ? b3 : b4
b3:
  return 1
b4:
  return 0
)"),
            R"(
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  need 14
  need 24
  v1 = load 1 [23]
  branch eq v0, v1 ? b3 : b4
b2:
  need 14
  need 24
  v2 = load 1 [23]
  branch gt v2, v0 ? b3 : b4
b3:
  return 1
b4:
  return 0
)");
}

TEST(ValueNumbering, LoadsOfOtherWidthOrPlaceAreOtherValues) {
  constexpr char kAll[] = R"(
b0:
  need 8
  v0 = load 1 [4]
  v1 = load 2 [4]
  v2 = load 1 [5]
  need v0 + 9
  v3 = load 1 [v0 + 4]
  v4 = add v0, v1
  v5 = add v2, v3
  v6 = mul v4, v5
  return v6
)";
  EXPECT_EQ(after("value_numbering", kAll), kAll);
}

TEST(ValueNumbering, EveryReadOfRandomIsItsOwn) {
  constexpr char kRandom[] = R"(
b0:
  v0 = ancillary rand
  v1 = ancillary rand
  v2 = sub v0, v1
  return v2
)";
  EXPECT_EQ(after("value_numbering", kRandom), kRandom);
}

TEST(ValueNumbering, BringsValuesIntoOneForm) {
  // All of these are v0 + 12, or fold away in the sum.
  EXPECT_EQ(after("value_numbering", R"(
b0:
  v0 = length
  v1 = add 5, v0
  v2 = add v1, 7
  v3 = sub v0, 0xfffffff4
  v4 = xor v2, v3
  v5 = or v2, v3
  v6 = add v4, v5
  v7 = mul v0, 8
  v8 = shl v0, 1
  v9 = shl v8, 2
  v10 = sub v9, v7
  v11 = add v6, v10
  return v11
)"),
            R"(
b0:
  v0 = length
  v1 = add v0, 0xc
  return v1
)");
}

TEST(ValueNumbering, MasksThatMaskNothingGo) {
  EXPECT_EQ(after("value_numbering", R"(
b0:
  need 4
  v0 = load 2 [2]
  v1 = and v0, 0x1ffff
  v2 = and v1, 0xff0ff
  v3 = shr v2, 16
  v4 = or v2, v3
  return v4
)"),
            R"(
b0:
  need 4
  v0 = load 2 [2]
  v1 = and v0, 0xf0ff
  return v1
)");
}

TEST(ValueNumbering, AConstantInABaseJoinsTheOffsetWhereItCannotWrap) {
  EXPECT_EQ(after("value_numbering", R"(
b0:
  need 4
  v0 = load 1 [0]
  v1 = add v0, 20
  need v1 + 3
  v2 = load 1 [v1 + 2]
  v3 = load 4 [0]
  v4 = add v3, 20
  need v4 + 3
  v5 = load 1 [v4 + 2]
  v6 = add v2, v5
  return v6
)"),
            R"(
b0:
  need 4
  v0 = load 1 [0]
  need v0 + 23
  v1 = load 1 [v0 + 22]
  v2 = load 4 [0]
  v3 = add v2, 0x14
  need v3 + 3
  v4 = load 1 [v3 + 2]
  v5 = add v1, v4
  return v5
)");
}

// What libpcap's code generator makes of relations.
TEST(ValueNumbering, SimplifiesCompares) {
  EXPECT_EQ(after("value_numbering", R"(
b0:
  need 40
  v0 = load 1 [0]
  v1 = and v0, 2
  v2 = sub v1, 2
  branch eq v2, 0 ? b1 : b9
b1:
  v3 = and v0, 0xf
  v4 = shl v3, 2
  branch eq v4, 20 ? b2 : b9
b2:
  v5 = load 2 [2]
  v6 = sub v5, v0
  branch ne v6, 0 ? b3 : b9
b3:
  branch ge v0, 255 ? b4 : b9
b4:
  branch lt v5, 1 ? b5 : b9
b5:
  v7 = and v5, 0xf0
  v8 = shr v7, 4
  branch eq v8, 3 ? b6 : b9
b6:
  branch set v5, 0xffffffff ? b7 : b9
b7:
  branch gt 5, v0 ? b8 : b9
b8:
  return 1
b9:
  return 0
)"),
            R"(
b0:
  need 40
  v0 = load 1 [0]
  branch set v0, 2 ? b1 : b9
b1:
  v1 = and v0, 0xf
  branch eq v1, 5 ? b2 : b9
b2:
  v2 = load 2 [2]
  branch eq v0, v2 ? b9 : b3
b3:
  branch eq v0, 0xff ? b4 : b9
b4:
  branch eq v2, 0 ? b5 : b9
b5:
  v3 = and v2, 0xf0
  branch eq v3, 0x30 ? b6 : b9
b6:
  branch eq v2, 0 ? b9 : b7
b7:
  branch ge v0, 5 ? b9 : b8
b8:
  return 1
b9:
  return 0
)");
}

}  // namespace
}  // namespace weir::opt
