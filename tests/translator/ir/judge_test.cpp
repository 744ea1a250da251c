// The IR as an engine: what build() makes must give what the classic interpreter gives.
#include <gtest/gtest.h>

#include <cstddef>

#include "cbpf/compile.h"
#include "cbpf/interpret.h"
#include "tests/translator/ir/random_programs.h"
#include "translator/ir/build.h"
#include "translator/ir/check.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/text.h"

namespace weir::ir {
namespace {

constexpr std::uint32_t kSeed = 19930125;
constexpr int kPrograms = 10000;
constexpr int kPackets = 8;

// IPv6 packets with 0 to 40 extension headers and IPv4 ones with AHs, whole and cut off.
std::vector<std::vector<std::uint8_t>> chains(RandomPrograms& random) {
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
        // An AH of 12 bytes counts 1; to libpcap, whose X is then no longer the sum, that is 12.
        const std::size_t at = packet.size();
        packet.resize(at + (six ? 8 : 12));
        packet[at] = i == count ? static_cast<std::uint8_t>(count % 2 == 0 ? 6 : 17) : header;
        packet[at + 1] = six ? 0 : 1;
      }
      packets.push_back(packet);
      packet.resize(packet.size() - packet.size() / 4);
      packets.push_back(packet);
      const std::vector<std::uint8_t> noise = random.bytes();
      for (std::size_t i = 0; i < noise.size() && i + 24 < packet.size(); ++i) {
        packet[i + 24] = noise[i];
      }
      packets.push_back(packet);
    }
  }
  return packets;
}

class Judge : public testing::TestWithParam<cbpf::Dialect> {};

TEST_P(Judge, BuiltFunctionsGiveWhatTheInterpreterGives) {
  RandomPrograms random(kSeed);
  int accepted = 0;
  for (int i = 0; i < kPrograms; ++i) {
    const cbpf::ValidatedProgram program = random.program(GetParam());
    const auto function = build(program, cbpf::kLinkTypeEthernet);
    ASSERT_TRUE(function.has_value()) << to_string(function.error());
    const Status checked = check(*function);
    ASSERT_TRUE(checked.has_value()) << to_string(checked.error()) << "\n" << print(*function);
    for (int j = 0; j < kPackets; ++j) {
      const std::vector<std::uint8_t> bytes = random.bytes();
      const cbpf::Packet packet = random.packet(bytes);
      const std::uint32_t wanted = cbpf::interpret(program, packet);
      accepted += wanted != 0 ? 1 : 0;
      ASSERT_EQ(evaluate(*function, packet), wanted)
          << "seed " << kSeed << ", program " << i << ", packet " << to_hex(bytes) << "\n"
          << print(*function);
    }
  }
  // The programs say something: most packets are not just refused.
  EXPECT_GT(accepted, kPrograms * kPackets / 8);
}

TEST(JudgeProtochain, UnrolledLoopsGiveWhatTheInterpreterGives) {
  RandomPrograms random(kSeed);
  for (const char* expression :
       {"ip6 protochain 6", "protochain 17", "ip protochain 6 or ip6 protochain 17"}) {
    const cbpf::ValidatedProgram program =
        cbpf::validate(cbpf::compile(expression).value()).value();
    const auto function = build(program, cbpf::kLinkTypeEthernet);
    ASSERT_TRUE(function.has_value()) << to_string(function.error());
    int accepted = 0;
    for (const std::vector<std::uint8_t>& bytes : chains(random)) {
      const cbpf::Packet packet = random.packet(bytes);
      const std::uint32_t wanted = cbpf::interpret(program, packet);
      accepted += wanted != 0 ? 1 : 0;
      ASSERT_EQ(evaluate(*function, packet), wanted) << expression << ", " << to_hex(bytes);
    }
    EXPECT_GT(accepted, 0) << expression;
  }
}

INSTANTIATE_TEST_SUITE_P(EachDialect, Judge,
                         testing::Values(cbpf::Dialect::kLibpcap, cbpf::Dialect::kLinux));

}  // namespace
}  // namespace weir::ir
