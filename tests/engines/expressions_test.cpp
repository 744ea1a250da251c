// Seeded random expressions, and long lists, on random packets in every engine.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "tests/engines/judge.h"
#include "tests/kernel/kernel.h"
#include "tests/random/random_expression.h"
#include "tests/random/random_packet.h"

namespace weir::judge {
namespace {

using random::Choices;

Tally judge_expression(const std::string& expression, Choices& choices, std::uint32_t packets,
                       const random::PacketOptions& options,
                       std::span<const engine::EngineId> engines) {
  auto program = cbpf::compile(expression);
  if (!program) {
    return {};  // `tcp and udp` and the like: libpcap sees that nothing can match.
  }
  std::vector<random::RandomPacket> memory;
  std::vector<cbpf::Packet> views;
  memory.reserve(packets);
  for (std::uint32_t i = 0; i < packets; ++i) {
    memory.push_back(random::random_packet(choices, options));
    views.push_back(memory.back().view());
  }
  return judge({expression, std::move(*program)}, views, engines);
}

constexpr std::uint32_t kPackets = 200;

void judge_expressions(std::uint32_t count, const random::PacketOptions& options,
                       std::span<const engine::EngineId> engines) {
  const std::uint64_t seed = random::seed_or(1992);
  Tally total;
  for (std::uint32_t i = 0; i < random::share_of(count) && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed) + ", number " + std::to_string(i));
    Choices choices(seed + i);
    const bool list = i % 3 == 0;
    const std::string expression = list ? random::random_list(choices, 2 + choices.below(40))
                                        : random::random_expression(choices);
    const Tally tally = judge_expression(expression, choices, kPackets, options, engines);
    total.verdicts += tally.verdicts;
    total.matches += tally.matches;
  }
  EXPECT_GT(total.matches, total.verdicts / 20);
  EXPECT_GT(total.verdicts, random::share_of(count) * kPackets);
}

TEST(RandomExpressions, UserEnginesAgree) { judge_expressions(1500, {}, user_engines()); }

TEST(RandomExpressions, KernelEnginesAgree) {
  WEIR_NEEDS_KERNEL();
  judge_expressions(60, {.truncate = false, .min_length = 16}, kernel_engines());
}

}  // namespace
}  // namespace weir::judge
