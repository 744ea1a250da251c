// The order that tests come to stand in, shown on short functions.
#include "translator/opt/extended/hoist_selective_test.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/translator/opt/extended/rewritten.h"
#include "translator/ir/text/text.h"

namespace weir::lower {
namespace {

std::string reordered(std::string_view text) { return rewritten(text, hoist_selective_test); }

TEST(TellingTests, TheProtocolComesBeforeTheEtherType) {
  EXPECT_EQ(reordered(R"(
function EN10MB {
b0:
  need 24
  v0 = load 2 [12]
  branch eq v0, 0x86dd ? b1 : b2
b1:
  v1 = load 1 [20]
  branch eq v1, 0x11 ? b4 : b5
b2:
  branch eq v0, 0x800 ? b3 : b5
b3:
  v2 = load 4 [20]
  v3 = and v2, 0x1fff00ff
  branch eq v3, 0x11 ? b4 : b5
b4:
  return 96
b5:
  return 0
}
)"),
            R"(
function EN10MB {
b0:
  need 24
  v0 = load 1 [20]
  branch eq v0, 0x11 ? b1 : b2
b1:
  v1 = load 2 [12]
  branch eq v1, 0x86dd ? b4 : b2
b2:
  v2 = load 4 [20]
  v3 = and v2, 0x1fff00ff
  branch eq v3, 0x11 ? b3 : b5
b3:
  v4 = load 2 [12]
  branch eq v4, 0x800 ? b4 : b5
b4:
  return 96
b5:
  return 0
}
)");
}

TEST(TellingTests, AFieldOfSeveralEtherTypesIsReadOnce) {
  EXPECT_EQ(reordered(R"(
function EN10MB {
b0:
  need 32
  v0 = load 2 [12]
  branch ne v0, 0x806 ? b1 : b2
b1:
  branch eq v0, 0x8035 ? b2 : b4
b2:
  v1 = load 4 [28]
  branch ne v1, 7 ? b4 : b3
b3:
  return 96
b4:
  return 0
}
)"),
            R"(
function EN10MB {
b0:
  need 32
  v0 = load 4 [28]
  branch ne v0, 7 ? b4 : b1
b1:
  v1 = load 2 [12]
  branch eq v1, 0x806 ? b3 : b2
b2:
  branch eq v1, 0x8035 ? b3 : b4
b3:
  return 96
b4:
  return 0
}
)");
}

// A frame may end before the field, and then end the filter too early.
TEST(TellingTests, WhatIsNotKnownToBeThereStays) {
  constexpr std::string_view kShort = R"(
function EN10MB {
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b3
b1:
  need 24
  v1 = load 1 [23]
  branch eq v1, 6 ? b2 : b3
b2:
  return 96
b3:
  return 0
}
)";
  EXPECT_EQ(reordered(kShort), kShort);
}

TEST(TellingTests, WhatOneReadCannotServeStays) {
  constexpr std::string_view kFarApart = R"(
function EN10MB {
b0:
  need 40
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  v1 = load 4 [26]
  branch eq v1, 6 ? b4 : b5
b2:
  branch eq v0, 0x86dd ? b3 : b5
b3:
  v2 = load 4 [36]
  branch eq v2, 6 ? b4 : b5
b4:
  return 96
b5:
  return 0
}
)";
  EXPECT_EQ(reordered(kFarApart), kFarApart);
  // Both lie in the eight bytes from 12 on.
  constexpr std::string_view kNear = R"(
function EN10MB {
b0:
  need 40
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b3
b1:
  v1 = load 1 [15]
  branch eq v1, 0xb8 ? b2 : b3
b2:
  return 96
b3:
  return 0
}
)";
  EXPECT_EQ(reordered(kNear), kNear);
}

TEST(TellingTests, WhatIsUsedAgainStays) {
  constexpr std::string_view kField = R"(
function EN10MB {
b0:
  need 24
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b3
b1:
  v1 = load 1 [23]
  branch gt v1, 6 ? b2 : b3
b2:
  return v1
b3:
  return 0
}
)";
  EXPECT_EQ(reordered(kField), kField);
  constexpr std::string_view kKey = R"(
function EN10MB {
b0:
  need 24
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b3
b1:
  v1 = load 1 [23]
  branch eq v1, 6 ? b2 : b3
b2:
  return v0
b3:
  return 0
}
)";
  EXPECT_EQ(reordered(kKey), kKey);
}

// The second compare never holds where it stands; behind another test it would.
TEST(TellingTests, NumbersThatComeTwiceStay) {
  constexpr std::string_view kTwice = R"(
function EN10MB {
b0:
  need 24
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  v1 = load 1 [23]
  branch eq v1, 6 ? b4 : b5
b2:
  branch eq v0, 0x800 ? b3 : b5
b3:
  v2 = load 1 [23]
  branch eq v2, 0x11 ? b4 : b5
b4:
  return 96
b5:
  return 0
}
)";
  EXPECT_EQ(reordered(kTwice), kTwice);
}

// It is rejected as a packet of another EtherType is, or the order can be seen.
TEST(TellingTests, AnotherWayToRejectStays) {
  constexpr std::string_view kOther = R"(
function EN10MB {
b0:
  need 24
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b3
b1:
  v1 = load 1 [23]
  branch eq v1, 6 ? b2 : b4
b2:
  return 96
b3:
  return 0
b4:
  return 64
}
)";
  EXPECT_EQ(reordered(kOther), kOther);
}

}  // namespace
}  // namespace weir::lower
