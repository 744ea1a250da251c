// What weir translates, as native code: proven whole, and the interpreter's verdicts.
#include <gtest/gtest.h>

#include <string>

#include "cbpf/compile.h"
#include "tests/cbpf/expressions.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"
#include "tests/translator/ir/random_subject.h"
#include "tests/translator/vm/both_machines.h"
#include "translator/translate.h"

namespace weir::jit {
namespace {

ebpf::Program translated(const cbpf::ValidatedProgram& program) {
  auto extended = translate(program);
  EXPECT_TRUE(extended.has_value()) << to_string(extended.error());
  return *extended;
}

ebpf::UserContext context_of(const random::RandomPacket& packet) {
  const ebpf::Region bytes = ebpf::readable(packet.bytes);
  ebpf::UserContext context{
      .data = bytes.address, .data_end = bytes.address + bytes.size, .length = packet.wire_length};
  for (std::uint32_t i = 0; i < context.ancillary.size(); ++i) {
    context.ancillary[i] = packet.ancillary.get(static_cast<cbpf::Extension>(4 * i)).value_or(0);
  }
  return context;
}

// Both machines one by one and in one batch.
void expect_the_same(const ebpf::Program& program,
                     const std::vector<random::RandomPacket>& packets) {
  const auto both = vm::BothMachines::load(program);
  ASSERT_TRUE(both.has_value()) << to_string(both.error());
  std::vector<ebpf::UserPacket> batch;
  for (const random::RandomPacket& packet : packets) {
    ASSERT_TRUE(both->run_packet(context_of(packet)).has_value());
    batch.push_back({.data = packet.bytes.data(),
                     .captured = static_cast<std::uint32_t>(packet.bytes.size()),
                     .length = packet.wire_length});
  }
  std::vector<std::uint32_t> verdicts(batch.size());
  ASSERT_TRUE(both->run_packets(batch, verdicts, context_of(packets.front())).has_value());
}

std::vector<random::RandomPacket> some_packets(random::Choices& choices, std::size_t count) {
  std::vector<random::RandomPacket> packets;
  while (packets.size() < count) {
    packets.push_back(random::random_packet(choices, {.ancillary = true}));
  }
  return packets;
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
  for (int i = 0; i < 1500; ++i) {
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed) + " program " + std::to_string(i));
    const auto dialect = i % 2 == 0 ? cbpf::Dialect::kLibpcap : cbpf::Dialect::kLinux;
    const auto program = ir::random_subject(choices, dialect);
    const auto extended = translate(program);
    if (!extended) {
      ASSERT_EQ(extended.error().code, ErrorCode::kUnsupported) << to_string(extended.error());
      continue;
    }
    expect_the_same(*extended, some_packets(choices, 20));
    if (testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace weir::jit
