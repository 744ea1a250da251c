// Chains of headers longer than any that is usual: loops of programs, in every engine.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "tests/engines/judge.h"
#include "tests/kernel/kernel.h"

namespace weir::judge {
namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kDestinationOptions = 60;

// Ethernet, IPv6, `headers` extension headers of 8 bytes each, and the beginning of a segment.
std::vector<std::uint8_t> ipv6_chain(std::uint32_t headers) {
  std::vector<std::uint8_t> packet(54);
  packet[12] = 0x86;
  packet[13] = 0xdd;
  packet[14] = 0x60;
  packet[20] = headers == 0 ? kTcp : kDestinationOptions;
  for (std::uint32_t i = 1; i <= headers; ++i) {
    packet.resize(packet.size() + 8);
    packet[packet.size() - 8] = i == headers ? kTcp : kDestinationOptions;
  }
  packet.resize(packet.size() + 20);
  return packet;
}

// An IPv4 packet whose AH leads back to itself.
std::vector<std::uint8_t> endless_chain() {
  constexpr std::uint8_t kAh = 51;
  std::vector<std::uint8_t> packet(60);
  packet[12] = 0x08;
  packet[14] = 0x45;
  packet[23] = packet[34] = kAh;
  packet[35] = 3;  // libpcap goes on at (3 + 2) * 4, which is where it is.
  return packet;
}

// 183 headers are what 1,500 bytes have room for; the kernel's bound is 188 backward jumps.
std::vector<std::vector<std::uint8_t>> packets() {
  std::vector<std::vector<std::uint8_t>> all;
  for (const std::uint32_t headers :
       {0U, 1U, 31U, 32U, 33U, 40U, 150U, 183U, 187U, 188U, 189U, 300U}) {
    all.push_back(ipv6_chain(headers));
    all.push_back(all.back());
    all.back().resize(54 + 8 * headers);  // The last header is the packet's end.
  }
  all.push_back(endless_chain());
  return all;
}

Tally judge_chains(const std::string& expression, std::span<const engine::EngineId> engines) {
  const std::vector<std::vector<std::uint8_t>> bytes = packets();
  std::vector<cbpf::Packet> views;
  for (const auto& packet : bytes) {
    views.push_back({.captured = packet, .wire_length = static_cast<std::uint32_t>(packet.size())});
  }
  return judge({.name = expression, .program = cbpf::compile(expression).value()}, views, engines);
}

TEST(Protochain, IsFollowedToItsEndInUserSpace) {
  for (const char* expression : {"ip6 protochain 6", "ip protochain 6", "protochain 6",
                                 "ip6 protochain 17 or ip6 protochain 6"}) {
    EXPECT_GT(judge_chains(expression, user_engines()).verdicts, 0U) << expression;
  }
  EXPECT_GT(judge_chains("ip6 protochain 6", user_engines()).matches, 24U);
}

TEST(Protochain, KernelIsFollowedAsFarAsAnEthernetFrameReaches) {
  WEIR_NEEDS_KERNEL();
  for (const char* expression : {"ip6 protochain 6", "protochain 6"}) {
    const Tally tally = judge_chains(expression, kernel_engines());
    EXPECT_GT(tally.matches, 24U) << expression;
  }
}

}  // namespace
}  // namespace weir::judge
