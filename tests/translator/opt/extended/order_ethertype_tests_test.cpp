// IPv4 before other EtherTypes, shown on short functions.
#include "translator/opt/extended/order_ethertype_tests.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/translator/opt/extended/rewritten.h"
#include "translator/ir/text/text.h"

namespace weir::lower {
namespace {

std::string arranged(std::string_view text) { return rewritten(text, order_ethertype_tests); }

TEST(Ipv4First, TheQuestionsAndTheirWaysChangePlaces) {
  EXPECT_EQ(arranged(R"(
function EN10MB {
b0:
  need 40
  v0 = load 2 [12]
  branch eq v0, 0x86dd ? b1 : b2
b1:
  v1 = load 1 [20]
  branch eq v1, 6 ? b4 : b5
b2:
  branch ne v0, 0x800 ? b5 : b3
b3:
  v2 = load 1 [23]
  branch eq v2, 6 ? b4 : b5
b4:
  return 96
b5:
  return 0
}
)"),
            R"(
function EN10MB {
b0:
  need 40
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  v1 = load 1 [23]
  branch eq v1, 6 ? b4 : b5
b2:
  branch ne v0, 0x86dd ? b5 : b3
b3:
  v2 = load 1 [20]
  branch eq v2, 6 ? b4 : b5
b4:
  return 96
b5:
  return 0
}
)");
}

TEST(Ipv4First, OtherQuestionsStay) {
  // A field that is no EtherType, and a block that does more than ask.
  constexpr std::string_view kOtherField = R"(
function EN10MB {
b0:
  need 40
  v0 = load 2 [16]
  branch eq v0, 0x86dd ? b2 : b1
b1:
  branch eq v0, 0x800 ? b3 : b4
b2:
  return 96
b3:
  return 64
b4:
  return 0
}
)";
  EXPECT_EQ(arranged(kOtherField), kOtherField);
  constexpr std::string_view kNeed = R"(
function EN10MB {
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x86dd ? b2 : b1
b1:
  need 40
  branch eq v0, 0x800 ? b3 : b4
b2:
  return 96
b3:
  return 64
b4:
  return 0
}
)";
  EXPECT_EQ(arranged(kNeed), kNeed);
}

// The second compare can never hold, and would if it came first.
TEST(Ipv4First, ANumberThatComesTwiceStays) {
  constexpr std::string_view kTwice = R"(
function EN10MB {
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b2 : b1
b1:
  branch eq v0, 0x800 ? b3 : b4
b2:
  return 96
b3:
  return 64
b4:
  return 0
}
)";
  EXPECT_EQ(arranged(kTwice), kTwice);
}

}  // namespace
}  // namespace weir::lower
