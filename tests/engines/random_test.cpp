// Seeded random programs on random packets, in every engine and both dialects.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/engines/judge.h"
#include "tests/kernel/kernel.h"
#include "tests/random/choices.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"

namespace weir::judge {
namespace {

using cbpf::Dialect;
using random::Choices;

struct Plan {
  std::uint64_t seed = 0;
  std::uint32_t programs = 0;
  std::uint32_t packets = 0;  // For each program.
  std::uint32_t matches = 0;  // That there are at least.
  random::ProgramOptions program;
  random::PacketOptions packet;
};

void judge_plan(const Plan& plan, Dialect dialect, std::span<const engine::EngineId> engines) {
  Tally total;
  const std::uint64_t seed = random::seed_or(plan.seed);
  const std::uint32_t programs = random::share_of(plan.programs);
  for (std::uint32_t i = 0; i < programs && !::testing::Test::HasFailure(); ++i) {
    Choices choices(seed + i);
    const Case subject{fmt::format("WEIR_SEED={} (program {})", seed, i),
                       random::random_program(choices, dialect, plan.program), dialect};
    std::vector<random::RandomPacket> packets;
    for (std::uint32_t p = 0; p < plan.packets; ++p) {
      packets.push_back(random::random_packet(choices, plan.packet));
    }
    std::vector<cbpf::Packet> views;
    for (const random::RandomPacket& packet : packets) {
      views.push_back(packet.view());
    }
    const Tally tally = judge(subject, views, engines);
    total.verdicts += tally.verdicts;
    total.matches += tally.matches;
    total.skipped += tally.skipped;
    total.shortened += tally.shortened;
  }
  std::cout << total.verdicts << " verdicts, " << total.matches << " matches, " << total.skipped
            << " skipped, " << total.shortened << " classic programs made shorter\n";
  // What hears few verdicts, or only refusals, judges little.
  EXPECT_GT(total.matches, random::share_of(plan.matches));
  EXPECT_GT(total.shortened, programs / 4);
}

// 2 dialects x 40,000 programs x 130 packets: more than 10^7 pairs, each in every engine and
// against what libpcap's bpf_filter() says of the program as it is.
constexpr Plan kUser{.seed = 1'000'000, .programs = 40'000, .packets = 130, .matches = 1'000'000};

TEST(RandomPrograms, UserEnginesAgreeInTheLibpcapDialect) {
  judge_plan(kUser, Dialect::kLibpcap, user_engines());
}

TEST(RandomPrograms, UserEnginesAgreeInTheLinuxDialect) {
  judge_plan(kUser, Dialect::kLinux, user_engines());
}

constexpr Plan kKernel{.seed = 2'000'000,
                       .programs = 300,
                       .packets = 40,
                       .matches = 4'000,
                       .packet = {.truncate = false, .min_length = 16}};

TEST(RandomPrograms, KernelEnginesAgreeInTheLibpcapDialect) {
  WEIR_NEEDS_KERNEL();
  judge_plan(kKernel, Dialect::kLibpcap, kernel_engines());
}

TEST(RandomPrograms, KernelEnginesAgreeInTheLinuxDialect) {
  WEIR_NEEDS_KERNEL();
  judge_plan(kKernel, Dialect::kLinux, kernel_engines());
}

constexpr Plan kKernelExtremes{.seed = 2'500'000,
                               .programs = 200,
                               .packets = 40,
                               .matches = 2'000,
                               .program = {.extreme_offsets = true},
                               .packet = {.truncate = false, .min_length = 16}};

TEST(RandomPrograms, KernelEnginesAgreeOnExtremeOffsets) {
  WEIR_NEEDS_KERNEL();
  judge_plan(kKernelExtremes, Dialect::kLibpcap, kernel_engines());
  judge_plan(kKernelExtremes, Dialect::kLinux, kernel_engines());
}

}  // namespace
}  // namespace weir::judge
