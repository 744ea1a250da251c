// What weir translates, brought here from the machine that did it (the file of the environment
// variable WEIR_PROGRAMS), on random packets in the interpreter and in this processor's code.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "tests/translator/jit/filter_runs.h"
#include "tests/translator/jit/programs_text.h"

namespace weir::jit {
namespace {

constexpr std::size_t kPackets = 100;

TEST(FiltersAArch64, GiveTheSameInBothMachines) {
  const char* named = std::getenv("WEIR_PROGRAMS");
  ASSERT_NE(named, nullptr) << "WEIR_PROGRAMS names no file";
  std::ifstream file(named);
  const auto programs = read_programs(file);
  ASSERT_TRUE(programs.has_value()) << to_string(programs.error());
  ASSERT_GT(programs->size(), 100U);
  const std::uint64_t seed = random::seed_or(4243);
  random::Choices choices(seed);
  for (const NamedProgram& one : *programs) {
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed) + " " + one.name);
    expect_the_same(one.program, some_packets(choices, kPackets));
    if (testing::Test::HasFailure()) {
      return;
    }
  }
  std::cout << programs->size() << " programs, " << kPackets << " packets each\n";
}

}  // namespace
}  // namespace weir::jit
