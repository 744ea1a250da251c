// The IR as an engine: what build() makes must give what the interpreters give.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "cbpf/interpret.h"
#include "tests/reference/reference_interpreter.h"
#include "tests/translator/ir/random_subject.h"
#include "translator/ir/build/build.h"
#include "translator/ir/check.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/text/text.h"

namespace weir::ir {
namespace {

constexpr std::uint64_t kSeed = 19930125;
constexpr int kPrograms = 10000;
constexpr int kPackets = 8;

class Judge : public testing::TestWithParam<cbpf::Dialect> {};

TEST_P(Judge, BuiltFunctionsGiveWhatTheInterpretersGive) {
  const std::uint64_t seed = random::seed_or(kSeed);
  random::Choices choices(seed);
  int accepted = 0;
  for (int i = 0; i < kPrograms; ++i) {
    const cbpf::ValidatedProgram program = random_subject(choices, GetParam());
    const auto function = build(program, cbpf::kLinkTypeEthernet);
    ASSERT_TRUE(function.has_value()) << to_string(function.error());
    const Status checked = check(*function);
    ASSERT_TRUE(checked.has_value())
        << "seed " << seed << ": " << to_string(checked.error()) << "\n"
        << print(*function);
    for (int j = 0; j < kPackets; ++j) {
      const random::RandomPacket packet = knowing_packet(choices);
      const std::uint32_t wanted =
          reference::interpret(program.program(), GetParam(), packet.view());
      accepted += wanted != 0 ? 1 : 0;
      ASSERT_EQ(cbpf::interpret(program, packet.view()), wanted)
          << random::to_text(program.program());
      ASSERT_EQ(evaluate(*function, packet.view()), wanted)
          << "seed " << seed << ", program " << i << ", packet " << to_hex(packet.bytes) << "\n"
          << random::to_text(program.program()) << print(*function);
    }
  }
  // The programs say something: many packets are not just refused.
  EXPECT_GT(accepted, kPrograms * kPackets / 8);
}

INSTANTIATE_TEST_SUITE_P(EachDialect, Judge,
                         testing::Values(cbpf::Dialect::kLibpcap, cbpf::Dialect::kLinux));

TEST(JudgeText, PrintedFunctionsReadBackAsTheSame) {
  random::Choices choices(kSeed);
  for (int i = 0; i < 500; ++i) {
    const cbpf::ValidatedProgram program = random_subject(choices, cbpf::Dialect::kLinux);
    const std::string text = print(build(program, cbpf::kLinkTypeEthernet).value());
    const auto function = parse(text);
    ASSERT_TRUE(function.has_value()) << to_string(function.error()) << "\n" << text;
    ASSERT_EQ(print(*function), text);
    const random::RandomPacket packet = knowing_packet(choices);
    ASSERT_EQ(evaluate(*function, packet.view()), cbpf::interpret(program, packet.view())) << text;
  }
}

// IPv6 packets with 0 to 40 extension headers and IPv4 ones with AHs, whole, cut off and damaged,
// and an IPv4 one whose AH leads back to itself.
std::vector<std::vector<std::uint8_t>> chains(random::Choices& choices) {
  std::vector<std::vector<std::uint8_t>> packets;
  for (std::uint32_t count = 0; count <= 40; ++count) {
    for (const bool six : {true, false}) {
      const std::uint8_t header = six ? 0 : 51;
      std::vector<std::uint8_t> packet(six ? 54 : 34);
      packet[12] = six ? 0x86 : 0x08;
      packet[13] = six ? 0xdd : 0x00;
      packet[14] = six ? 0x60 : 0x45;
      packet[six ? 20 : 23] = count == 0 ? 6 : header;
      for (std::uint32_t i = 1; i <= count; ++i) {
        const std::size_t at = packet.size();
        packet.insert(packet.end(), six ? 8 : 12, 0);
        packet[at] = i == count ? static_cast<std::uint8_t>(count % 2 == 0 ? 6 : 17) : header;
        packet[at + 1] = six ? 0 : 1;
      }
      packets.push_back(packet);
      packet.erase(packet.end() - static_cast<std::ptrdiff_t>(packet.size() / 4), packet.end());
      packets.push_back(packet);
      for (std::size_t i = 24; i < packet.size(); ++i) {
        packet[i] = choices.pick<std::uint8_t>({0, 1, 6, 17, 43, 51, 60});
      }
      packets.push_back(packet);
    }
  }
  std::vector<std::uint8_t> endless(60);
  endless[12] = 0x08;
  endless[14] = 0x45;
  endless[23] = endless[34] = 51;
  endless[35] = 3;  // (3 + 2) * 4 is where it is.
  packets.push_back(endless);
  return packets;
}

TEST(JudgeProtochain, LoopsGiveWhatTheInterpretersGive) {
  random::Choices choices(kSeed);
  int bounded = 0;
  for (const char* expression :
       {"ip6 protochain 6", "protochain 17", "ip protochain 6 or ip6 protochain 17"}) {
    const cbpf::ValidatedProgram program =
        cbpf::validate(cbpf::compile(expression).value()).value();
    const auto function = build(program, cbpf::kLinkTypeEthernet);
    ASSERT_TRUE(function.has_value()) << to_string(function.error());
    const Status checked = check(*function);
    ASSERT_TRUE(checked.has_value()) << to_string(checked.error());
    int accepted = 0;
    for (const std::vector<std::uint8_t>& bytes : chains(choices)) {
      const cbpf::Packet packet = {.captured = bytes,
                                   .wire_length = static_cast<std::uint32_t>(bytes.size())};
      const reference::Outcome wanted =
          reference::run(program.program(), cbpf::Dialect::kLibpcap, packet);
      accepted += wanted.accept_length != 0 ? 1 : 0;
      bounded += wanted.loop_bound ? 1 : 0;
      ASSERT_EQ(evaluate(*function, packet), wanted.accept_length)
          << expression << ", " << to_hex(bytes);
    }
    EXPECT_GT(accepted, 0) << expression;
  }
  EXPECT_GT(bounded, 0);
}

}  // namespace
}  // namespace weir::ir
