#include <gtest/gtest.h>

#include "cbpf/interpret.h"
#include "tools/bench/measure/neutralized_programs.h"
#include "translator/vm/machine.h"

namespace weir::bench {
namespace {

TEST(Quiet, AClassicProgramReturnsNothingAnyMore) {
  const cbpf::Program program{
      {{cbpf::kLd | cbpf::kImm, 0, 0, 9}, {cbpf::kRet | cbpf::kA, 0, 0, 0}}};
  const auto quiet = cbpf::validate(returning_nothing(program));
  ASSERT_TRUE(quiet);
  EXPECT_EQ(quiet->program().instructions.size(), program.instructions.size());
  EXPECT_EQ(cbpf::interpret(*quiet, {}), 0U);
}

TEST(Quiet, EveryExitOfAnExtendedProgramReturnsTheNumber) {
  using ebpf::Reg;
  // A load of two slots stands between the jump and what it jumps over.
  const ebpf::Program program{
      .instructions = {ebpf::Alu{.is64 = false, .dst = Reg::kR0, .src = 5},
                       ebpf::Jump{.op = ebpf::JumpOp::kEq, .dst = Reg::kR2, .src = 0, .offset = 3},
                       ebpf::LoadImm64{.dst = Reg::kR0, .value = 6}, ebpf::Exit{},
                       ebpf::Alu{.is64 = false, .dst = Reg::kR0, .src = 7}, ebpf::Exit{}}};
  const auto machine = vm::Machine::load(returning_always(program, 2));
  ASSERT_TRUE(machine) << to_string(machine.error());
  std::uint8_t byte = 0;
  EXPECT_EQ(machine->run_memory({}).value_or(0), 2U);
  EXPECT_EQ(machine->run_memory({&byte, 1}).value_or(0), 2U);
  const auto empty = vm::Machine::load(empty_program(3));
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->run_memory({}).value_or(0), 3U);
}

}  // namespace
}  // namespace weir::bench
