// Where needs come to stand, shown on short functions.
#include "translator/opt/extended/sink_bounds_checks.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/translator/opt/extended/rewritten.h"
#include "translator/ir/text/text.h"

namespace weir::lower {
namespace {

std::string delayed(std::string_view text) { return rewritten(text, sink_bounds_checks); }

TEST(LateNeeds, GoPastATestThatRejects) {
  EXPECT_EQ(delayed(R"(
function EN10MB {
b0:
  need 24
  v0 = load 1 [20]
  need 58
  branch eq v0, 6 ? b1 : b3
b1:
  v1 = load 2 [56]
  branch eq v1, 0x50 ? b2 : b3
b2:
  return 1
b3:
  return 0
}
)"),
            R"(
function EN10MB {
b0:
  need 24
  v0 = load 1 [20]
  branch eq v0, 6 ? b1 : b3
b1:
  need 58
  v1 = load 2 [56]
  branch eq v1, 0x50 ? b2 : b3
b2:
  return 1
b3:
  return 0
}
)");
}

TEST(LateNeeds, ALoadAsksForAllThatWasAskedForAbove) {
  EXPECT_EQ(delayed(R"(
function EN10MB {
b0:
  need 14
  need 34
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  return 1
b2:
  return 0
}
)"),
            R"(
function EN10MB {
b0:
  need 34
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  return 1
b2:
  return 0
}
)");
}

// A packet of 20 bytes is accepted by neither way; one of 30 must not be by the second.
TEST(LateNeeds, StayWhereAWayThatAcceptsParts) {
  constexpr std::string_view kText = R"(
function EN10MB {
b0:
  need 14
  v0 = load 1 [0]
  need 40
  branch eq v0, 1 ? b1 : b2
b1:
  return 1
b2:
  v1 = load 1 [1]
  branch eq v1, 1 ? b3 : b4
b3:
  return 2
b4:
  return 0
}
)";
  EXPECT_EQ(delayed(kText), kText);
}

TEST(LateNeeds, StayInFrontOfAReturnThatAccepts) {
  constexpr std::string_view kText = R"(
function EN10MB {
b0:
  need 60
  return 1
}
)";
  EXPECT_EQ(delayed(kText), kText);
}

// b3 is reached by another way, which did not ask.
TEST(LateNeeds, StayInFrontOfABlockThatOthersLeadTo) {
  EXPECT_EQ(delayed(R"(
function EN10MB {
b0:
  need 14
  v0 = load 1 [0]
  branch eq v0, 1 ? b1 : b2
b1:
  need 40
  v1 = load 1 [1]
  need 50
  branch eq v1, 1 ? b3 : b5
b2:
  v2 = load 1 [2]
  branch eq v2, 1 ? b3 : b5
b3:
  v3 = load 1 [3]
  branch eq v3, 1 ? b4 : b5
b4:
  return 1
b5:
  return 0
}
)"),
            R"(
function EN10MB {
b0:
  need 14
  v0 = load 1 [0]
  branch eq v0, 1 ? b1 : b2
b1:
  v1 = load 1 [1]
  need 50
  branch eq v1, 1 ? b3 : b5
b2:
  v2 = load 1 [2]
  branch eq v2, 1 ? b3 : b5
b3:
  v3 = load 1 [3]
  branch eq v3, 1 ? b4 : b5
b4:
  return 1
b5:
  return 0
}
)");
}

}  // namespace
}  // namespace weir::lower
