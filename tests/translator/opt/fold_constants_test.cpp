#include <gtest/gtest.h>

#include "tests/translator/opt/pass_text.h"

namespace weir::opt {
namespace {

TEST(FoldConstants, ComputesArithmeticOfConstants) {
  EXPECT_EQ(after("fold_constants", R"(
b0:
  v0 = add 0xffffffff, 3
  v1 = mul v0, 5
  v2 = sub v1, 0xb
  v3 = neg v2
  v4 = shl v3, 0x21
  v5 = shl_modulo v3, 0x21
  v6 = or v4, v5
  v7 = div v6, 2
  v8 = mod v7, 7
  return v8
)"),
            R"(
b0:
  return 1
)");
}

TEST(FoldConstants, KnowsWhatOneConstantDecides) {
  EXPECT_EQ(after("fold_constants", R"(
b0:
  v0 = length
  v1 = add v0, 0
  v2 = and v1, 0xffffffff
  v3 = xor 0, v2
  v4 = mul 1, v3
  v5 = shr v4, 0
  v6 = shr_modulo v5, 0x20
  v7 = sub v6, 0
  v8 = div v7, 1
  v9 = mul v8, 0
  v10 = add v8, v9
  v11 = sub 0, v10
  v12 = shl v11, 0x20
  v13 = or v12, v11
  return v13
)"),
            R"(
b0:
  v0 = length
  v1 = sub 0, v0
  return v1
)");
}

TEST(FoldConstants, DecidesBranches) {
  EXPECT_EQ(after("fold_constants", R"(
b0:
  v0 = length
  branch ge v0, 0 ? b1 : b8
b1:
  branch eq 5, 6 ? b8 : b2
b2:
  branch ne v0, v0 ? b8 : b3
b3:
  branch set v0, 0 ? b8 : b4
b4:
  branch gt 0, v0 ? b8 : b5
b5:
  switch 7 { 1..6 => b8, 7 => b6, else => b8 }
b6:
  switch v0 { else => b7 }
b7:
  branch eq v0, 3 ? b9 : b9
b8:
  return 8
b9:
  return 9
)"),
            R"(
b0:
  v0 = length
  jump b1
b1:
  jump b2
b2:
  jump b3
b3:
  jump b4
b4:
  jump b5
b5:
  jump b6
b6:
  jump b7
b7:
  jump b8
b8:
  return 9
)");
}

TEST(FoldConstants, KeepsWhatIsOpen) {
  constexpr char kOpen[] = R"(
b0:
  v0 = length
  branch gt v0, 0 ? b1 : b2
b1:
  branch set v0, v0 ? b2 : b3
b2:
  return 0
b3:
  switch v0 { 1 => b4, else => b5 }
b4:
  return 4
b5:
  return 5
)";
  EXPECT_EQ(after("fold_constants", kOpen), kOpen);
}

TEST(FoldConstants, ParametersCountOnlyTheWaysThatAreLeft) {
  // The way that brings 9 is never taken; so v1 is 4, and the last branch is decided too.
  EXPECT_EQ(after("fold_constants", R"(
b0:
  v0 = length
  branch eq 1, 2 ? b3(9, v0) : b1
b1:
  branch eq v0, 60 ? b2 : b3(4, v0)
b2:
  jump b3(4, 5)
b3(v1, v2):
  v3 = add v1, 1
  branch eq v3, 5 ? b4 : b5
b4:
  return v2
b5:
  return v3
)"),
            R"(
b0:
  v0 = length
  jump b1
b1:
  branch eq v0, 0x3c ? b2 : b3(v0)
b2:
  jump b3(5)
b3(v1):
  jump b4
b4:
  return v1
)");
}

TEST(FoldConstants, DecidesGuards) {
  EXPECT_EQ(after("fold_constants", R"(
b0:
  v0 = length
  v1 = add 3, 4
  guard v1
  v2 = div v0, v1
  return v2
)"),
            R"(
b0:
  v0 = length
  v1 = div v0, 7
  return v1
)");
  EXPECT_EQ(after("fold_constants", R"(
b0:
  v0 = length
  v1 = mul v0, 0
  guard v1
  v2 = div v0, v1
  branch eq v2, 3 ? b1 : b2
b1:
  return 1
b2:
  return 2
)"),
            R"(
b0:
  v0 = length
  return 0
)");
}

TEST(FoldConstants, SetTestsOfConstantsAndInEmptySets) {
  EXPECT_EQ(after("fold_constants", R"(
s0 = set 1 { 3, 5 }
s1 = set 1 { }
b0:
  v0 = length
  v1 = in s0, 5
  v2 = in s0, 4
  v3 = in s1, v0
  v4 = add v1, v2
  v5 = add v4, v3
  return v5
)"),
            R"(
s0 = set 1 { 3, 5 }
s1 = set 1 { }
b0:
  v0 = length
  return 1
)");
}

TEST(FoldConstants, AConstantBaseJoinsTheOffset) {
  EXPECT_EQ(after("fold_constants", R"(
b0:
  v0 = shl 5, 2
  need v0 + 18
  v1 = load 4 [v0 + 14]
  need 0
  return v1
)"),
            R"(
b0:
  need 38
  v0 = load 4 [34]
  return v0
)");
  EXPECT_EQ(after("fold_constants", R"(
b0:
  need 0xfffffff0 + 18
  v1 = load 4 [0xfffffff0 + 14]
  return v1
)"),
            R"(
b0:
  return 0
)");
}

}  // namespace
}  // namespace weir::opt
