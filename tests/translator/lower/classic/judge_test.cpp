// Random filters through the IR and back into the classic machine, against what they were.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "cbpf/interpret.h"
#include "cbpf/text/disassemble.h"
#include "cbpf/validate.h"
#include "tests/random/random_expression.h"
#include "tests/random/telling_packet.h"
#include "tests/reference/reference_interpreter.h"
#include "tests/translator/ir/random_subject.h"
#include "translator/ir/build/build.h"
#include "translator/ir/text/text.h"
#include "translator/lower/to_classic.h"
#include "translator/opt/pass.h"

namespace weir::lower {
namespace {

// Those that read A and X in passing cannot be put elsewhere.
constexpr std::uint32_t kExtensions =
    ir::kAllExtensions & ~(cbpf::Ancillary::bit(cbpf::Extension::kNla) |
                           cbpf::Ancillary::bit(cbpf::Extension::kNlaNested));

struct Counts {
  std::size_t programs = 0;
  std::size_t refused = 0;
  std::size_t pairs = 0;
  std::size_t accepted = 0;
};

// What is run before the lowering: no pass, all of them, and each one alone.
std::vector<std::vector<std::string>> pipelines() {
  std::vector<std::vector<std::string>> pipelines = {{"none"}, {}};
  for (const opt::Pass& pass : opt::all_passes()) {
    pipelines.push_back({std::string(pass.name)});
  }
  return pipelines;
}

void judge(const cbpf::ValidatedProgram& program, const std::vector<std::string>& passes,
           random::Choices& choices, int packets, Counts& counts) {
  auto function = ir::build(program, cbpf::kLinkTypeEthernet);
  ASSERT_TRUE(function) << to_string(function.error());
  opt::PassOptions options;
  options.passes = passes;
  ASSERT_TRUE(opt::run_passes(*function, options));
  ++counts.programs;
  const auto lowered = to_classic(
      *function, {.dialect = program.dialect(), .shortest_shared = choices.chance(50) ? 1U : 24U});
  if (!lowered) {
    ASSERT_EQ(lowered.error().code, ErrorCode::kUnsupported) << to_string(lowered.error());
    ++counts.refused;
    return;
  }
  const auto validated = cbpf::validate(*lowered, program.dialect());
  ASSERT_TRUE(validated) << to_string(validated.error());
  for (int i = 0; i < packets; ++i) {
    const random::RandomPacket packet = ir::knowing_packet(choices);
    const std::uint32_t wanted =
        reference::interpret(program.program(), program.dialect(), packet.view());
    ++counts.pairs;
    counts.accepted += wanted != 0 ? 1 : 0;
    ASSERT_EQ(cbpf::interpret(*validated, packet.view()), wanted)
        << "on " << to_hex(packet.bytes) << "\n"
        << cbpf::disassemble(program.program()) << ir::print(*function)
        << cbpf::disassemble(*lowered);
  }
}

class ClassicJudge : public testing::TestWithParam<cbpf::Dialect> {};

TEST_P(ClassicJudge, LoweredProgramsGiveTheReferencesNumber) {
  constexpr std::size_t kPrograms = 20000;
  constexpr int kPackets = 8;
  const std::uint64_t seed = random::seed_or(1993);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  Counts counts;
  const auto all = pipelines();
  for (std::size_t i = 0; i < kPrograms && !HasFatalFailure(); ++i) {
    auto program = random::random_program(choices, GetParam(), {.extensions = kExtensions});
    judge(cbpf::validate(std::move(program), GetParam()).value(), all[i % all.size()], choices,
          kPackets, counts);
  }
  EXPECT_GT(counts.accepted, counts.pairs / 8);
  RecordProperty("refused", static_cast<int>(counts.refused));
  EXPECT_LT(counts.refused, counts.programs / 4);
}

INSTANTIATE_TEST_SUITE_P(EachDialect, ClassicJudge,
                         testing::Values(cbpf::Dialect::kLibpcap, cbpf::Dialect::kLinux));

TEST(ClassicJudgeLong, LongProgramsGiveTheReferencesNumber) {
  const std::uint64_t seed = random::seed_or(255);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  Counts counts;
  for (int i = 0; i < 300 && !HasFatalFailure(); ++i) {
    auto program = random::random_program(choices, cbpf::Dialect::kLibpcap,
                                          {.max_instructions = 2000, .loops = false});
    judge(cbpf::validate(std::move(program)).value(), {}, choices, 20, counts);
  }
  EXPECT_LT(counts.refused, counts.programs);
}

// Lists of every kind, with packets that know their members and are cut off anywhere.
TEST(ClassicJudgeLists, GiveTheReferencesNumber) {
  const std::uint64_t seed = random::seed_or(1997);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  std::size_t pairs = 0;
  std::size_t accepted = 0;
  for (std::uint32_t i = 0; i < random::share_of(1500) && !HasFatalFailure(); ++i) {
    random::Choices choices(seed + i);
    const std::string expression =
        i % 4 == 0 ? random::random_expression(choices)
                   : random::random_list(choices, 2 + choices.below(60), 1 + choices.below(3));
    const auto compiled = cbpf::compile(expression);
    if (!compiled) {
      continue;
    }
    const auto program = cbpf::validate(*compiled).value();
    auto function = ir::build(program, cbpf::kLinkTypeEthernet).value();
    ASSERT_TRUE(opt::run_passes(function, {}));
    const auto lowered = to_classic(function, {.shortest_shared = choices.chance(50) ? 1U : 24U});
    ASSERT_TRUE(lowered) << expression << ": " << to_string(lowered.error());
    const auto validated = cbpf::validate(*lowered, cbpf::Dialect::kLinux);
    ASSERT_TRUE(validated) << expression << ": " << to_string(validated.error());
    const std::vector<random::Field> fields = random::compared_fields(program.program());
    for (int n = 0; n < 300; ++n) {
      const random::RandomPacket packet = random::telling_packet(fields, choices);
      const std::uint32_t wanted =
          reference::interpret(program.program(), program.dialect(), packet.view());
      ++pairs;
      accepted += wanted != 0 ? 1 : 0;
      ASSERT_EQ(cbpf::interpret(*validated, packet.view()), wanted)
          << expression << " on " << to_hex(packet.bytes) << "\n"
          << cbpf::disassemble(*lowered);
    }
  }
  EXPECT_GT(accepted, pairs / 8);
}

}  // namespace
}  // namespace weir::lower
