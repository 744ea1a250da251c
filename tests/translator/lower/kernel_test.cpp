// What lowering makes, before the running kernel: its verifier takes every program, and its test
// runs give the verdict of the reference interpreter.
#include "tests/kernel/kernel.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cbpf/expressions.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"
#include "tests/reference/reference_interpreter.h"
#include "tests/translator/lower/lowered.h"
#include "xdp/kernel/load.h"
#include "xdp/kernel/test_run.h"

namespace weir::lower {
namespace {

// Whole packets that every hook's test run takes.
std::vector<random::RandomPacket> some_packets(random::Choices& choices, std::size_t count) {
  std::vector<random::RandomPacket> packets;
  while (packets.size() < count) {
    packets.push_back(random::random_packet(choices, {.truncate = false, .min_length = 60}));
  }
  return packets;
}

// What the hook shows of an accept length.
std::uint32_t shown(std::uint32_t accept_length, const Target& target) {
  if (target.returns_accept_length) {
    return accept_length;
  }
  return static_cast<std::uint32_t>(accept_length != 0 ? target.pass : target.drop);
}

void expect_same_verdicts(const cbpf::ValidatedProgram& program, const std::string& what,
                          const std::vector<random::RandomPacket>& packets) {
  for (const TargetId id : kHooks) {
    const auto in_kernel = loaded(program, id);
    ASSERT_TRUE(in_kernel) << what << " at " << target(id).name << ": "
                           << to_string(in_kernel.error()) << "\n"
                           << in_kernel.error().detail;
    for (const auto& packet : packets) {
      const auto run = xdp::test_run(*in_kernel, packet.bytes);
      ASSERT_TRUE(run) << to_string(run.error());
      const std::uint32_t wanted = reference::run(program.program(), program.dialect(),
                                                  packet.view(), cbpf::kMaxKernelBackwardJumps)
                                       .accept_length;
      ASSERT_EQ(run->value, shown(wanted, target(id)))
          << what << " at " << target(id).name << "\non " << to_hex(packet.bytes);
    }
  }
}

TEST(LowerKernel, ExpressionsGiveTheInterpretersVerdict) {
  WEIR_NEEDS_KERNEL();
  const std::uint64_t seed = random::seed_or(3);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  const auto packets = some_packets(choices, 30);
  for (const std::string& expression : cbpf::short_expressions()) {
    expect_same_verdicts(compiled(expression), expression, packets);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST(LowerKernel, RandomProgramsGiveTheInterpretersVerdict) {
  WEIR_NEEDS_KERNEL();
  const std::uint64_t seed = random::seed_or(4);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  for (int i = 0; i < 150; ++i) {
    const auto dialect = choices.chance(50) ? cbpf::Dialect::kLinux : cbpf::Dialect::kLibpcap;
    const auto program = random::random_program(choices, dialect);
    const auto validated = cbpf::validate(program, dialect);
    ASSERT_TRUE(validated);
    expect_same_verdicts(*validated, random::to_text(program), some_packets(choices, 10));
    if (HasFatalFailure()) {
      return;
    }
  }
}

// The file of the environment variable WEIR_CORPUS, or of the build: name, link type, expression.
TEST(LowerKernel, TheVerifierTakesTheCorpus) {
  WEIR_NEEDS_KERNEL();
  const char* named = std::getenv("WEIR_CORPUS");
  std::ifstream corpus(named != nullptr ? named : WEIR_CORPUS);
  if (!corpus) {
    GTEST_SKIP() << "no corpus: set WEIR_CORPUS to a file of filters";
  }
  const bool print = std::getenv("WEIR_PRINT") != nullptr;
  std::string line;
  while (std::getline(corpus, line)) {
    std::istringstream fields(line);
    std::string name;
    std::string link_type;
    std::string expression;
    if (line.empty() || line[0] == '#' || !std::getline(fields, name, '\t') ||
        !std::getline(fields, link_type, '\t') || !std::getline(fields, expression)) {
      continue;
    }
    const int number = *cbpf::link_type_by_name(link_type);
    const auto classic = cbpf::compile(expression, {.link_type = number});
    if (!classic || classic->instructions.size() > cbpf::kMaxLinuxInstructions) {
      continue;  // Some are there to be refused.
    }
    const auto validated = cbpf::validate(*classic);
    ASSERT_TRUE(validated);
    for (const TargetId id : kHooks) {
      const auto extended = lowered(*validated, id, std::nullopt, number);
      ASSERT_TRUE(extended) << name << ": " << to_string(extended.error());
      const auto in_kernel = xdp::load(*extended, type_of(id));
      ASSERT_TRUE(in_kernel) << name << " at " << target(id).name << ": "
                             << to_string(in_kernel.error()) << "\n"
                             << in_kernel.error().detail;
      if (print) {
        printf("%-12s %-6s %5zu classic %5zu extended %7u processed\n", name.c_str(),
               std::string(target(id).name).c_str(), classic->instructions.size(),
               extended->instructions.size(), in_kernel->statistics().processed_instructions);
      }
    }
  }
}

// Every hook answers what it says it answers.
TEST(LowerKernel, TheVerifierTakesTheExtensions) {
  WEIR_NEEDS_KERNEL();
  for (const TargetId id : kHooks) {
    for (std::uint32_t number = 0; number < 64; number += 4) {
      if ((answered_extensions(target(id)) & 1U << number / 4) == 0) {
        continue;
      }
      cbpf::Program program{{{cbpf::kLd | cbpf::kW | cbpf::kAbs, 0, 0, 0xfffff000 + number},
                             {cbpf::kRet | cbpf::kA, 0, 0, 0}}};
      const auto validated = cbpf::validate(program, cbpf::Dialect::kLinux);
      ASSERT_TRUE(validated) << to_string(validated.error());
      const auto in_kernel = loaded(*validated, id);
      EXPECT_TRUE(in_kernel) << number << " at " << target(id).name << ": "
                             << to_string(in_kernel.error()) << in_kernel.error().detail;
    }
  }
}

}  // namespace
}  // namespace weir::lower
