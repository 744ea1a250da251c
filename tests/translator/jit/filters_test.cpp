// What weir translates, as native code: proven whole, and the interpreter's verdicts.
#include <gtest/gtest.h>

#include <string>

#include "cbpf/compile.h"
#include "tests/cbpf/expressions.h"
#include "tests/translator/jit/filter_programs.h"
#include "tests/translator/jit/filter_runs.h"
#include "translator/translate.h"

namespace weir::jit {
namespace {

ebpf::Program translated(const cbpf::ValidatedProgram& program) {
  auto extended = translate(program);
  EXPECT_TRUE(extended.has_value()) << to_string(extended.error());
  return *extended;
}

bool goes_back(const ebpf::Program& program) {
  for (const ebpf::Instruction& instruction : program.instructions) {
    const auto* jump = std::get_if<ebpf::Jump>(&instruction);
    if (jump != nullptr && jump->offset < 0) {
      return true;
    }
  }
  return false;
}

TEST(Filters, EveryAccessIsProvenUnlessTheFilterLoops) {
  for (const std::string& expression : cbpf::short_expressions()) {
    const auto compiled = cbpf::compile(expression);
    ASSERT_TRUE(compiled.has_value()) << expression;
    const ebpf::Program program = translated(cbpf::validate(*compiled).value());
    const auto native = NativeProgram::compile(program, {}, {.runs_on = RunsOn::kPackets});
    ASSERT_TRUE(native.has_value()) << to_string(native.error());
    EXPECT_EQ(native->checked_accesses() == 0, !goes_back(program)) << expression;
  }
}

TEST(Filters, ExpressionsGiveTheSameInBothMachines) {
  const std::uint64_t seed = random::seed_or(4242);
  random::Choices choices(seed);
  const std::vector<random::RandomPacket> packets = some_packets(choices, 300);
  for (const std::string& expression : cbpf::short_expressions()) {
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed) + " " + expression);
    expect_the_same(translated(cbpf::validate(cbpf::compile(expression).value()).value()), packets);
  }
}

TEST(Filters, RandomClassicProgramsGiveTheSameInBothMachines) {
  const std::uint64_t seed = random::seed_or(77);
  random::Choices choices(seed);
  for (const NamedProgram& one : random_classic_programs(choices, 1500)) {
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed) + " " + one.name);
    expect_the_same(one.program, some_packets(choices, 20));
    if (testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace weir::jit
