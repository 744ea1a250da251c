// Several filters as one program: what each of them says alone.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "cbpf/interpret.h"
#include "tests/random/choices.h"
#include "tests/random/random_expression.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ir/build/build.h"
#include "translator/ir/check.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/text/text.h"
#include "translator/jit/jit.h"
#include "translator/opt/pass.h"
#include "translator/translate.h"
#include "translator/vm/machine.h"

namespace weir {
namespace {

using ir::JoinedResult;
using random::Choices;

cbpf::ValidatedProgram filter(const std::string& expression) {
  return cbpf::validate(cbpf::compile(expression).value()).value();
}

std::vector<JoinedFilter> joined(const std::vector<cbpf::ValidatedProgram>& programs) {
  std::vector<JoinedFilter> filters;
  for (const cbpf::ValidatedProgram& program : programs) {
    filters.push_back({.program = &program, .set_tests = nullptr});
  }
  return filters;
}

std::uint32_t expected(const std::vector<cbpf::ValidatedProgram>& programs, JoinedResult result,
                       const cbpf::Packet& packet) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    if (cbpf::interpret(programs[i], packet) == 0) {
      continue;
    }
    if (result == JoinedResult::kFirst) {
      return static_cast<std::uint32_t>(i) + 1;
    }
    bits |= std::uint32_t{1} << i;
  }
  return bits;
}

// Both machines of the `user` target, on packets that end at every byte too.
std::size_t judge(const std::vector<cbpf::ValidatedProgram>& programs, JoinedResult result,
                  const std::vector<random::RandomPacket>& packets) {
  const auto program = translate_together(joined(programs), 1, result);
  EXPECT_TRUE(program) << to_string(program.error());
  if (!program) {
    return 0;
  }
  auto machine = vm::Machine::load(*program);
  EXPECT_TRUE(machine) << to_string(machine.error());
  auto native = jit::NativeProgram::compile(*program, {}, {.runs_on = jit::RunsOn::kPackets});
  std::size_t accepted = 0;
  std::vector<ebpf::UserPacket> batch;
  std::vector<std::uint32_t> want;
  for (const random::RandomPacket& packet : packets) {
    const cbpf::Packet view = packet.view();
    batch.push_back(
        {view.captured.data(), static_cast<std::uint32_t>(view.captured.size()), view.wire_length});
    want.push_back(expected(programs, result, view));
    accepted += want.back() != 0 ? 1 : 0;
  }
  std::vector<std::uint32_t> got(batch.size());
  EXPECT_TRUE(machine->run_packets(batch, got));
  EXPECT_EQ(got, want) << ebpf::disassemble(program->instructions);
  if (native) {
    std::fill(got.begin(), got.end(), 77);
    EXPECT_TRUE(native->run_packets(batch, got));
    EXPECT_EQ(got, want) << ebpf::disassemble(program->instructions);
  }
  return accepted;
}

TEST(Join, EndsOneFilterWhereItIsShort) {
  const auto first = ir::build(filter("ip"), 1).value();
  const auto second = ir::build(filter("ether[20] = 1"), 1).value();
  const std::vector<ir::Function> functions = {first, second};
  const ir::Function every = ir::join(functions, JoinedResult::kEvery);
  ASSERT_TRUE(ir::check(every)) << ir::print(every);
  std::vector<std::uint8_t> bytes(21);
  bytes[12] = 8;
  bytes[20] = 1;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const cbpf::Packet packet{{bytes.data(), size}, 21};
    EXPECT_EQ(ir::evaluate(every, packet), (size >= 14 ? 1U : 0U) | (size >= 21 ? 2U : 0U)) << size;
  }
  const ir::Function one = ir::join(functions, JoinedResult::kFirst);
  ASSERT_TRUE(ir::check(one)) << ir::print(one);
  EXPECT_EQ(ir::evaluate(one, {bytes, 21}), 1U);
  bytes[12] = 0;
  EXPECT_EQ(ir::evaluate(one, {bytes, 21}), 2U);
  bytes[20] = 0;
  EXPECT_EQ(ir::evaluate(one, {bytes, 21}), 0U);
}

TEST(TranslateTogether, SharesWhatFiltersHaveInCommon) {
  std::vector<cbpf::ValidatedProgram> programs;
  std::size_t alone = 0;
  for (const char* expression : {"tcp port 80", "tcp port 443", "udp port 53", "icmp"}) {
    programs.push_back(filter(expression));
    alone += translate(programs.back())->instructions.size();
  }
  const auto program = translate_together(joined(programs), 1, JoinedResult::kFirst);
  ASSERT_TRUE(program);
  // Both copies are in it, and still each field is loaded once on nearly every way.
  EXPECT_LT(program->instructions.size(), 3 * alone) << ebpf::disassemble(program->instructions);
}

TEST(TranslateTogether, ExpressionsSayWhatTheySayAlone) {
  const std::uint64_t seed = random::seed_or(3200);
  std::size_t accepted = 0;
  std::size_t judged = 0;
  for (std::uint32_t i = 0; i < random::share_of(300) && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed + i));
    Choices choices(seed + i);
    std::vector<cbpf::ValidatedProgram> programs;
    const std::size_t count = i % 10 == 0 ? ir::kMostJoined : 1 + choices.below(8);
    while (programs.size() < count) {
      const auto program = cbpf::compile(random::random_expression(choices));
      if (program) {
        programs.push_back(cbpf::validate(*program).value());
      }
    }
    std::vector<random::RandomPacket> packets;
    for (int p = 0; p < 200; ++p) {
      packets.push_back(random::random_packet(choices));
    }
    for (const JoinedResult result : {JoinedResult::kEvery, JoinedResult::kFirst}) {
      accepted += judge(programs, result, packets);
      judged += packets.size();
    }
  }
  EXPECT_GT(accepted, judged / 10);
}

TEST(TranslateTogether, AFilterWithALoopRunsAlone) {
  const std::vector<cbpf::ValidatedProgram> programs = {filter("ip"), filter("ip6 protochain 6")};
  EXPECT_EQ(translate_together(joined(programs), 1, JoinedResult::kEvery).error().code,
            ErrorCode::kUnsupported);
}

TEST(TranslateTogether, AnyProgramsSayWhatTheySayAlone) {
  const std::uint64_t seed = random::seed_or(3300);
  std::size_t accepted = 0;
  std::size_t judged = 0;
  for (std::uint32_t i = 0; i < random::share_of(1000) && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed + i));
    Choices choices(seed + i);
    std::vector<cbpf::ValidatedProgram> programs;
    const std::size_t count = 1 + choices.below(6);
    while (programs.size() < count) {
      const auto program =
          cbpf::validate(random::random_program(choices, cbpf::Dialect::kLibpcap, {.loops = false}),
                         cbpf::Dialect::kLibpcap);
      if (program && program->extensions() == 0) {
        programs.push_back(*program);
      }
    }
    std::vector<random::RandomPacket> packets;
    for (int p = 0; p < 60; ++p) {
      packets.push_back(random::random_packet(choices));
    }
    const JoinedResult result = i % 2 == 0 ? JoinedResult::kEvery : JoinedResult::kFirst;
    accepted += judge(programs, result, packets);
    judged += packets.size();
  }
  EXPECT_GT(accepted, judged / 10);
}

}  // namespace
}  // namespace weir
