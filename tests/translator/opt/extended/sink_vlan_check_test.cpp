// Where the question for a VLAN tag comes to stand, shown on short functions.
#include "translator/opt/extended/sink_vlan_check.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/translator/opt/extended/rewritten.h"
#include "translator/ir/text/text.h"

namespace weir::lower {
namespace {

std::string delayed(std::string_view text) { return rewritten(text, sink_vlan_check); }

TEST(LateTag, OnlyWhatWouldBeAcceptedIsAsked) {
  EXPECT_EQ(delayed(R"(
function EN10MB {
b0:
  v0 = ancillary vlan_avail
  branch eq v0, 0 ? b1 : b3
b1:
  need 14
  v1 = load 2 [12]
  branch eq v1, 0x800 ? b2 : b3
b2:
  return 96
b3:
  return 0
}
)"),
            R"(
function EN10MB {
b0:
  jump b1
b1:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b2 : b3
b2:
  v1 = ancillary vlan_avail
  branch eq v1, 0 ? b4 : b5
b3:
  return 0
b4:
  return 96
b5:
  return 0
}
)");
}

TEST(LateTag, ANumberThatIsReturnedIsAskedAfterToo) {
  EXPECT_EQ(delayed(R"(
function EN10MB {
b0:
  v0 = ancillary vlan_avail
  branch ne v0, 0 ? b2 : b1
b1:
  need 1
  v1 = load 1 [0]
  return v1
b2:
  return 0
}
)"),
            R"(
function EN10MB {
b0:
  jump b1
b1:
  need 1
  v0 = load 1 [0]
  v1 = ancillary vlan_avail
  branch eq v1, 0 ? b2 : b3
b2:
  return v0
b3:
  return 0
}
)");
}

// Of a packet with a tag something else is to be said here, or it has to be looked at first.
TEST(LateTag, StaysWhereTaggedPacketsCanBeAccepted) {
  constexpr std::string_view kAccepted = R"(
function EN10MB {
b0:
  v0 = ancillary vlan_avail
  branch eq v0, 0 ? b1 : b2
b1:
  return 0
b2:
  return 96
}
)";
  EXPECT_EQ(delayed(kAccepted), kAccepted);
  constexpr std::string_view kAsked = R"(
function EN10MB {
b0:
  v0 = ancillary vlan_avail
  branch eq v0, 0 ? b2 : b1
b1:
  need 40
  return 96
b2:
  return 96
}
)";
  EXPECT_EQ(delayed(kAsked), kAsked);
}

// The number itself is wanted as well.
TEST(LateTag, StaysWhereTheAnswerIsUsedTwice) {
  constexpr std::string_view kTwice = R"(
function EN10MB {
b0:
  v0 = ancillary vlan_avail
  branch eq v0, 0 ? b1 : b2
b1:
  return v0
b2:
  return 0
}
)";
  EXPECT_EQ(delayed(kTwice), kTwice);
}

}  // namespace
}  // namespace weir::lower
