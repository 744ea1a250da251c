// Random programs on random packets: the machine against the plain evaluator. The same generator
// meets the kernel in kernel_test.cpp.
#include <gtest/gtest.h>

#include "tests/translator/vm/plain_evaluator.h"
#include "tests/translator/vm/programs.h"
#include "tests/translator/vm/random_extended.h"
#include "translator/ebpf/check.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ebpf/encode.h"

namespace weir::vm {
namespace {

TEST(Random, TheMachineAgreesWithThePlainEvaluator) {
  const std::uint64_t seed = random::seed_or(9669);
  random::Choices choices(seed);
  for (int i = 0; i < 5000; ++i) {
    const ebpf::Program program = random_extended(choices);
    std::vector<std::uint8_t> packet(choices.chance(5) ? choices.below(24) : kRandomPacketBytes);
    for (std::uint8_t& byte : packet) {
      byte = static_cast<std::uint8_t>(choices.any());
    }
    const auto want = PlainEvaluator(program, packet).run();
    ASSERT_TRUE(want.has_value());
    const auto got = machine(program, {}, {.legacy_packet_access = true}).run({.packet = packet});
    ASSERT_TRUE(got.has_value()) << to_string(got.error());
    ASSERT_EQ(*got, *want) << "WEIR_SEED=" << seed << " program " << i << " packet "
                           << weir::to_hex(packet) << "\n"
                           << ebpf::disassemble(program.instructions);
  }
}

// The generator's programs are whole, so that what the tests say of them is said of something.
TEST(Random, ProgramsPassTheCheckAndComeBackFromTheWire) {
  random::Choices choices(9669);
  for (int i = 0; i < 200; ++i) {
    const ebpf::Program program = random_extended(choices);
    const Status status = check(program);
    ASSERT_TRUE(status.has_value()) << to_string(status.error());
    const std::vector<ebpf::Slot> wire = ebpf::encode(program.instructions);
    const auto decoded = ebpf::decode(wire);
    ASSERT_TRUE(decoded.has_value()) << to_string(decoded.error());
    ASSERT_EQ(ebpf::encode(*decoded), wire);
  }
}

}  // namespace
}  // namespace weir::vm
