// The classic interpreter against the plain reference and libpcap's bpf_filter, on random programs
// and packets. WEIR_SEED sets the seed.

#include <gtest/gtest.h>

#include <vector>

#include "cbpf/interpret.h"
#include "tests/cbpf/libpcap_filter.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"
#include "tests/reference/reference_interpreter.h"

namespace weir::cbpf {
namespace {

constexpr std::uint64_t kSeed = 1993;
constexpr int kPrograms = 20000;
constexpr int kPacketsEach = 10;
constexpr std::uint32_t kAllExtensions = 0xffff;

// How much of the work was worth doing.
struct Tally {
  int pairs = 0;
  int accepted = 0;
  int compared_with_libpcap = 0;
  int loops_ended = 0;
  std::uint64_t steps = 0;
};

void compare(Dialect dialect, const random::ProgramOptions& options, std::uint64_t seed,
             Tally& tally) {
  random::Choices choices(seed);
  for (int n = 0; n < kPrograms; ++n) {
    const Program program = random::random_program(choices, dialect, options);
    const Result<ValidatedProgram> valid = validate(program, dialect);
    ASSERT_TRUE(valid.has_value())
        << "seed " << seed << ", program " << n << ": " << to_string(valid.error()) << "\n"
        << random::to_text(program);
    const LibpcapFilter libpcap(program);
    for (int p = 0; p < kPacketsEach; ++p) {
      const random::RandomPacket packet =
          random::random_packet(choices, {.ancillary = options.extensions != 0});
      const reference::Outcome wanted = reference::run(program, dialect, packet.view());
      ASSERT_EQ(interpret(*valid, packet.view()), wanted.accept_length)
          << "seed " << seed << ", program " << n << "\n"
          << random::to_text(program) << to_hex(packet.bytes) << ", wire length "
          << packet.wire_length;
      ++tally.pairs;
      tally.accepted += wanted.accept_length != 0 ? 1 : 0;
      tally.loops_ended += wanted.loop_bound ? 1 : 0;
      tally.steps += wanted.steps;
      if (dialect == Dialect::kLinux || options.extensions != 0 || wanted.loop_bound) continue;
      ASSERT_EQ(libpcap.run(packet.view()), wanted.accept_length)
          << "seed " << seed << ", program " << n << "\n"
          << random::to_text(program) << to_hex(packet.bytes) << ", wire length "
          << packet.wire_length;
      ++tally.compared_with_libpcap;
    }
  }
}

TEST(InterpretRandom, LibpcapDialect) {
  Tally tally;
  compare(Dialect::kLibpcap, {}, random::seed_or(kSeed), tally);
  EXPECT_GT(tally.compared_with_libpcap, tally.pairs / 2);
  EXPECT_GT(tally.accepted, tally.pairs / 10);
  EXPECT_GT(tally.loops_ended, 0);
  EXPECT_GT(tally.steps / static_cast<std::uint64_t>(tally.pairs), 4U);
}

TEST(InterpretRandom, LinuxDialect) {
  Tally tally;
  compare(Dialect::kLinux, {}, random::seed_or(kSeed), tally);
  EXPECT_GT(tally.accepted, tally.pairs / 10);
}

TEST(InterpretRandom, Extensions) {
  for (const Dialect dialect : {Dialect::kLibpcap, Dialect::kLinux}) {
    Tally tally;
    compare(dialect, {.max_instructions = 20, .extensions = kAllExtensions}, random::seed_or(kSeed),
            tally);
    EXPECT_GT(tally.accepted, tally.pairs / 10);
  }
}

// A fuzzer's bytes make programs that are as valid, whatever they are.
TEST(InterpretRandom, ProgramsFromBytes) {
  random::Choices noise(random::seed_or(kSeed));
  for (int n = 0; n < 2000; ++n) {
    std::vector<std::uint8_t> bytes(noise.below(200));
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(noise.any());
    }
    random::Choices choices{Bytes(bytes)};
    const Program program =
        random::random_program(choices, Dialect::kLibpcap, {.extensions = kAllExtensions});
    const Result<ValidatedProgram> valid = validate(program);
    ASSERT_TRUE(valid.has_value()) << to_hex(bytes) << "\n" << random::to_text(program);
    const random::RandomPacket packet = random::random_packet(choices, {.ancillary = true});
    EXPECT_EQ(interpret(*valid, packet.view()),
              reference::interpret(program, Dialect::kLibpcap, packet.view()));
  }
}

}  // namespace
}  // namespace weir::cbpf
