// `inbound` and `outbound` at hooks where all packets travel one way.
#include "translator/lower/target/packet_direction.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>

#include "tests/translator/opt/extended/rewritten.h"

namespace weir::lower {
namespace {

std::string folded(std::string_view text, PacketDirection direction) {
  return rewritten(
      text, [direction](ir::Function& function) { fold_packet_direction(function, direction); });
}

std::string test_of_type(std::string_view test) {
  return "\nfunction EN10MB {\nb0:\n  v0 = ancillary type\n  branch " + std::string(test) +
         " ? b1 : b2\nb1:\n  return 96\nb2:\n  return 0\n}\n";
}

constexpr std::string_view kAccept =
    "\nfunction EN10MB {\nb0:\n  v0 = ancillary type\n  jump b1\nb1:\n  return 96\n}\n";
constexpr std::string_view kReject =
    "\nfunction EN10MB {\nb0:\n  v0 = ancillary type\n  jump b1\nb1:\n  return 0\n}\n";

TEST(PacketDirection, InboundTypesAreNeverOutgoing) {
  const auto inbound = [](std::string_view test) {
    return folded(test_of_type(test), PacketDirection::kInbound);
  };
  EXPECT_EQ(inbound("ne v0, 0x4"), kAccept);
  EXPECT_EQ(inbound("eq v0, 0x4"), kReject);
  EXPECT_EQ(inbound("lt v0, 0x4"), kAccept);
  EXPECT_EQ(inbound("set v0, 0x4"), kReject);
}

TEST(PacketDirection, WhichInboundTypeItIsStaysOpen) {
  for (const std::string_view test : {"eq v0, 0x3", "ge v0, 0x1", "set v0, 0x5"}) {
    EXPECT_NE(folded(test_of_type(test), PacketDirection::kInbound).find("branch"),
              std::string::npos)
        << test;
  }
}

TEST(PacketDirection, OutboundHasOneType) {
  const std::string text = folded(test_of_type("eq v0, 0x4"), PacketDirection::kOutbound);
  EXPECT_NE(text.find("branch eq 4, 4"), std::string::npos) << text;
}

TEST(PacketDirection, AHookOfBothDirectionsReadsTheType) {
  const std::string text = test_of_type("eq v0, 4");
  EXPECT_EQ(folded(text, PacketDirection::kInContext), text);
}

}  // namespace
}  // namespace weir::lower
