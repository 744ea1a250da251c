#include "cbpf/interpret.h"

#include <gtest/gtest.h>

#include <array>

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

Instruction make(int code, std::uint32_t k = 0, int jt = 0, int jf = 0) {
  return {static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(jt),
          static_cast<std::uint8_t>(jf), k};
}

// A loop that counts to `turns` by as many backward jumps; it is the first one unless others are
// before it.
std::vector<Instruction> counting_loop(std::uint64_t turns) {
  return {make(kLd | kImm, 0xffffffff), make(kAlu | kAdd | kK, 1),
          make(kJmp | kJeq | kK, static_cast<std::uint32_t>(turns), 1, 0),
          make(kJmp | kJa, 0U - 3)};
}

// A packet of 20 bytes allows three backward jumps, one of 24 four.
constexpr std::uint64_t kMostBackwardJumps = max_backward_jumps(20);

std::uint32_t run_on(std::size_t captured, std::vector<Instruction> code) {
  const std::vector<std::uint8_t> bytes(captured);
  return interpret(validate({std::move(code)}, Dialect::kLibpcap).value(), {.captured = bytes});
}

std::uint32_t run(std::vector<Instruction> code, const Packet& packet = {},
                  Dialect dialect = Dialect::kLibpcap) {
  return interpret(validate({std::move(code)}, dialect).value(), packet);
}

TEST(Interpret, ALoopMayTurnAsOftenAsTheBoundSays) {
  const auto loop = [](std::uint32_t turns) {
    std::vector<Instruction> code = counting_loop(turns);
    code.push_back(make(kRet | kK, 1));
    return std::array{run_on(0, code), run_on(20, code), run_on(23, code), run_on(24, code)};
  };
  EXPECT_EQ(kMostBackwardJumps, 3U);
  EXPECT_EQ(loop(0), (std::array{1U, 1U, 1U, 1U}));
  EXPECT_EQ(loop(1), (std::array{1U, 1U, 1U, 1U}));
  EXPECT_EQ(loop(2), (std::array{0U, 1U, 1U, 1U}));
  EXPECT_EQ(loop(3), (std::array{0U, 1U, 1U, 1U}));
  EXPECT_EQ(loop(4), (std::array{0U, 0U, 0U, 1U}));
}

TEST(Interpret, EveryLoopHasTheWholeBound) {
  std::vector<Instruction> code = counting_loop(kMostBackwardJumps);
  const std::vector<Instruction> second = code;
  code.insert(code.end(), second.begin(), second.end());
  code.push_back(make(kRet | kK, 1));
  EXPECT_EQ(run_on(20, code), 1U);
}

// Odd and even turns go back through different jumps.
TEST(Interpret, JumpsToOneHeadAreCountedTogether) {
  const auto loop = [](std::uint64_t turns) {
    return run_on(20, {make(kLd | kImm, 0xffffffff), make(kAlu | kAdd | kK, 1),
                       make(kJmp | kJeq | kK, static_cast<std::uint32_t>(turns), 3, 0),
                       make(kJmp | kJset | kK, 1, 0, 1), make(kJmp | kJa, 0U - 4),
                       make(kJmp | kJa, 0U - 5), make(kRet | kK, 1)});
  };
  EXPECT_EQ(loop(kMostBackwardJumps), 1U);
  EXPECT_EQ(loop(kMostBackwardJumps + 1), 0U);
}

TEST(Interpret, TheLinuxDialectReadsFromTheNetworkAndTheLinkHeader) {
  const std::vector<Instruction> network = {make(kLd | kAbs | kB, kNetworkOffset + 9),
                                            make(kRet | kA)};
  const std::vector<Instruction> link = {make(kLd | kAbs | kH, kLinkOffset + 12), make(kRet | kA)};
  const std::vector<Instruction> indirect = {make(kLdx | kImm, 14), make(kLd | kInd | kB, 0U - 2),
                                             make(kRet | kA)};
  Packet packet{.captured = kSegment};
  EXPECT_EQ(run(network, packet, Dialect::kLinux), 6U);
  EXPECT_EQ(run(link, packet, Dialect::kLinux), 0x800U);
  EXPECT_EQ(run(indirect, packet, Dialect::kLinux), 8U);
  for (const auto& code : {network, link, indirect}) {
    EXPECT_EQ(run(code, packet, Dialect::kLibpcap), 0U);
  }
  packet.network_offset = 14 + 3;
  EXPECT_EQ(run(network, packet, Dialect::kLinux), 0xc0U);
  packet.network_offset = 0xffffffff;
  EXPECT_EQ(run(network, packet, Dialect::kLinux), 0U);
}

TEST(Interpret, ExtensionsComeFromThePacket) {
  const std::vector<Instruction> code = {make(kLd | kAbs | kW, kAncillaryOffset + 20),
                                         make(kRet | kA)};
  Ancillary ancillary;
  EXPECT_EQ(run(code, {.captured = kSegment}), 0U);
  EXPECT_EQ(run(code, {.captured = kSegment, .ancillary = &ancillary}), 0U);
  ancillary.set(Extension::kMark, 42);
  EXPECT_EQ(run(code, {.captured = kSegment, .ancillary = &ancillary}), 42U);
}

TEST(Interpret, ShiftsByXFollowTheDialect) {
  const std::vector<Instruction> code = {make(kLd | kImm, 3), make(kLdx | kImm, 33),
                                         make(kAlu | kLsh | kX), make(kRet | kA)};
  EXPECT_EQ(run(code, {}, Dialect::kLinux), 6U);
  EXPECT_EQ(run(code, {}, Dialect::kLibpcap), 0U);
}

}  // namespace
}  // namespace weir::cbpf
