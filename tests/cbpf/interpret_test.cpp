#include "cbpf/interpret.h"

#include <gtest/gtest.h>

#include "cbpf/compile.h"

namespace weir::cbpf {
namespace {

std::uint32_t run(const std::string& expression, const std::vector<std::uint8_t>& packet) {
  const ValidatedProgram program = validate(compile(expression).value()).value();
  return interpret(program,
                   {.captured = packet, .wire_length = static_cast<std::uint32_t>(packet.size())});
}

// A TCP segment from 192.168.1.1:80 to 10.0.0.1:1025 with SYN and ACK.
const std::vector<std::uint8_t> kSegment =
    from_hex(
        "020000000001 020000000002 0800 45000028000040004006 0000 c0a80101 0a000001"
        "0050 0401 00000000 00000000 5012 0000 0000 0000")
        .value();

TEST(Interpret, RunsWhatLibpcapCompiles) {
  EXPECT_EQ(run("ip", kSegment), kDefaultSnaplen);
  EXPECT_EQ(run("tcp port 80", kSegment), kDefaultSnaplen);
  EXPECT_EQ(run("tcp port 81", kSegment), 0U);
  EXPECT_EQ(run("host 192.168.1.1", kSegment), kDefaultSnaplen);
  EXPECT_EQ(run("src host 10.0.0.1", kSegment), 0U);
  EXPECT_EQ(run("tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn|tcp-ack", kSegment), kDefaultSnaplen);
  EXPECT_EQ(run("ip protochain 6", kSegment), kDefaultSnaplen);
  EXPECT_EQ(run("len = 54", kSegment), kDefaultSnaplen);
}

TEST(Interpret, ALoadPastTheCapturedBytesEndsTheFilter) {
  const std::vector<std::uint8_t> packet(kSegment.begin(), kSegment.begin() + 30);
  EXPECT_EQ(run("ip", packet), kDefaultSnaplen);
  EXPECT_EQ(run("not tcp port 81", packet), 0U);
  EXPECT_EQ(run("ether[1] > tcp[100] or ip", packet), 0U);
}

}  // namespace
}  // namespace weir::cbpf
