// A million random pairs of program and packet: packet forms in both machines against the program
// as it stands, every access checked.
#include <gtest/gtest.h>

#include <array>

#include "tests/translator/vm/checked_run.h"
#include "tests/translator/vm/random_packet_program.h"
#include "translator/ebpf/disassemble.h"
#include "translator/jit/code_memory.h"
#include "translator/jit/jit.h"
#include "translator/userspace/packet_program.h"
#include "translator/vm/machine.h"

namespace weir::vm {
namespace {

constexpr std::uint32_t kPrograms = 10'000;
constexpr std::size_t kPackets = 100;

std::uint64_t mix(void*, std::uint64_t r1, std::uint64_t, std::uint64_t, std::uint64_t,
                  std::uint64_t) {
  return r1 * 0x9e3779b97f4a7c15U;
}
constexpr std::array kHelpers = {Helper{.number = 5, .function = mix}};

struct Traffic {
  std::vector<std::vector<std::uint8_t>> bytes;
  std::vector<UserPacket> packets;
  ebpf::UserContext common;
};

// Packets of 0 to 80 bytes, small numbers among them so that tests hold now and then.
Traffic some_traffic(random::Choices& choices) {
  Traffic traffic;
  for (std::size_t i = 0; i < kPackets; ++i) {
    std::vector<std::uint8_t> bytes(choices.below(81));
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(choices.chance(50) ? choices.any() : choices.below(4));
    }
    traffic.bytes.push_back(std::move(bytes));
  }
  for (const std::vector<std::uint8_t>& bytes : traffic.bytes) {
    traffic.packets.push_back({.data = bytes.data(),
                               .captured = static_cast<std::uint32_t>(bytes.size()),
                               .length = choices.below(2000)});
  }
  for (std::uint32_t& value : traffic.common.ancillary) {
    value = choices.any();
  }
  return traffic;
}

TEST(RandomPackets, AMillionPairsInEveryMachine) {
  const std::uint64_t seed = random::seed_or(2014);
  random::Choices choices(seed);
  const auto pool = std::make_shared<jit::CodePool>();
  const std::uint32_t programs = random::share_of(kPrograms);
  std::uint32_t formed = 0;
  std::uint64_t verdicts_not_0 = 0;
  for (std::uint32_t i = 0; i < programs; ++i) {
    const ebpf::Program program = random_packet_program(choices);
    const Traffic traffic = some_traffic(choices);
    const auto text = [&] {
      return "WEIR_SEED=" + std::to_string(seed) + " program " + std::to_string(i) + "\n" +
             ebpf::disassemble(program.instructions);
    };
    formed += ebpf::packet_program(program, ebpf::prove_packet_accesses(program)) ? 1 : 0;
    const auto machine = Machine::load(program, kHelpers);
    ASSERT_TRUE(machine.has_value()) << to_string(machine.error()) << text();
    const auto native = jit::NativeProgram::compile(
        program, kHelpers, {.runs_on = jit::RunsOn::kPackets, .pool = pool});
    const auto checked_native = jit::NativeProgram::compile(program, kHelpers, {.pool = pool});
    ASSERT_TRUE(native.has_value() && checked_native.has_value()) << text();
    std::vector<std::uint32_t> interpreted(kPackets);
    std::vector<std::uint32_t> compiled(kPackets);
    ASSERT_TRUE(machine->run_packets(traffic.packets, interpreted, traffic.common)) << text();
    ASSERT_TRUE(native->run_packets(traffic.packets, compiled, traffic.common)) << text();
    for (std::size_t p = 0; p < kPackets; ++p) {
      const auto want = run_checked(*machine, traffic.packets[p], traffic.common);
      const auto alike = run_checked(*checked_native, traffic.packets[p], traffic.common);
      ASSERT_TRUE(want.has_value() && alike.has_value()) << text();
      ASSERT_EQ(*alike, *want) << text() << to_hex(traffic.bytes[p]);
      const auto verdict = static_cast<std::uint32_t>(*want);
      verdicts_not_0 += verdict != 0 ? 1 : 0;
      ASSERT_EQ(interpreted[p], verdict) << text() << to_hex(traffic.bytes[p]);
      ASSERT_EQ(compiled[p], verdict) << text() << to_hex(traffic.bytes[p]);
    }
  }
  EXPECT_GT(formed, programs * 8 / 10);
  EXPECT_GT(verdicts_not_0, std::uint64_t{programs} * kPackets / 4);
}

}  // namespace
}  // namespace weir::vm
