#include <gtest/gtest.h>

#include <array>

#include "cbpf/compile.h"
#include "cbpf/interpret.h"
#include "tools/bench/measure/executed_instructions.h"
#include "tools/bench/measure/instruction_counting.h"
#include "tools/bench/traffic/traffic.h"
#include "translator/translate.h"
#include "translator/vm/machine.h"

namespace weir::bench {
namespace {

// A frame of 60 bytes with this ether type.
std::vector<std::uint8_t> frame(std::uint8_t high, std::uint8_t low) {
  std::vector<std::uint8_t> bytes(60, 0);
  bytes[12] = high;
  bytes[13] = low;
  return bytes;
}

std::uint32_t classic_count(const cbpf::Program& program, Bytes packet) {
  const auto copy = counting(program);
  EXPECT_TRUE(copy);
  const auto valid = cbpf::validate(*copy);
  EXPECT_TRUE(valid) << to_string(valid.error());
  return cbpf::interpret(*valid, {packet, static_cast<std::uint32_t>(packet.size()), nullptr});
}

std::uint32_t extended_count(const ebpf::Program& program, Bytes packet) {
  const auto copy = counting(program);
  EXPECT_TRUE(copy);
  const auto machine = vm::Machine::load(*copy);
  EXPECT_TRUE(machine) << to_string(machine.error());
  ebpf::UserContext context;
  context.data = reinterpret_cast<std::uintptr_t>(packet.data());
  context.data_end = context.data + packet.size();
  context.length = static_cast<std::uint32_t>(packet.size());
  return machine->run_packet(context).value_or(0);
}

TEST(Executed, CountsAClassicRunByItsPath) {
  // ldh [12]; jeq 0x806, next, else; ldb [20]; ret 1; ret 0
  const cbpf::Program program{{{cbpf::kLd | cbpf::kH | cbpf::kAbs, 0, 0, 12},
                               {cbpf::kJmp | cbpf::kJeq | cbpf::kK, 0, 2, 0x806},
                               {cbpf::kLd | cbpf::kB | cbpf::kAbs, 0, 0, 20},
                               {cbpf::kRet | cbpf::kK, 0, 0, 1},
                               {cbpf::kRet | cbpf::kK, 0, 0, 0}}};
  EXPECT_EQ(classic_count(program, frame(8, 6)), 4U);
  EXPECT_EQ(classic_count(program, frame(8, 0)), 3U);
  EXPECT_EQ(classic_count(program, Bytes(frame(8, 6)).first(10)), 0U) << "a load past the end";
}

TEST(Executed, CountsEveryTurnOfAClassicLoop) {
  // X = A - 1 until A is 0, five times: (5 turns of 4) + the head and the tail.
  const cbpf::Program program{{{cbpf::kLd | cbpf::kImm, 0, 0, 5},
                               {cbpf::kJmp | cbpf::kJeq | cbpf::kK, 3, 0, 0},
                               {cbpf::kAlu | cbpf::kSub | cbpf::kK, 0, 0, 1},
                               {cbpf::kMisc | cbpf::kTax, 0, 0, 0},
                               {cbpf::kJmp | cbpf::kJa, 0, 0, static_cast<std::uint32_t>(-4)},
                               {cbpf::kRet | cbpf::kK, 0, 0, 1}}};
  EXPECT_EQ(classic_count(program, frame(8, 0)), 1U + 5U * 4U + 2U);
}

TEST(Executed, AProgramThatUsesAllOfMIsNotCounted) {
  cbpf::Program program;
  for (std::uint32_t k = 0; k < cbpf::kScratchWords - 1; ++k) {
    program.instructions.push_back({cbpf::kSt, 0, 0, k});
  }
  program.instructions.push_back({cbpf::kRet | cbpf::kK, 0, 0, 1});
  EXPECT_FALSE(counting(program));
}

TEST(Executed, CountsAnExtendedRunByItsPath) {
  using ebpf::Reg;
  // r0 = 0; r2 = *(u64 *)(r1 + 0); r3 = *(u8 *)(r2 + 12); if w3 != 8 goto exit; r0 = 1; exit
  const ebpf::Program program{
      .instructions = {
          ebpf::Alu{.is64 = false, .dst = Reg::kR0, .src = 0},
          ebpf::Load{.width = ebpf::Width::kDw, .dst = Reg::kR2, .src = Reg::kR1, .offset = 0},
          ebpf::Load{.width = ebpf::Width::kB, .dst = Reg::kR3, .src = Reg::kR2, .offset = 12},
          ebpf::Jump{
              .op = ebpf::JumpOp::kNe, .is64 = false, .dst = Reg::kR3, .src = 8, .offset = 1},
          ebpf::Alu{.is64 = false, .dst = Reg::kR0, .src = 1}, ebpf::Exit{}}};
  EXPECT_EQ(extended_count(program, frame(8, 0)), 6U);
  EXPECT_EQ(extended_count(program, frame(9, 0)), 5U);
}

TEST(Executed, CountsWhatWeirMakesOfAFilter) {
  const auto program = cbpf::compile("tcp port 80");
  ASSERT_TRUE(program);
  auto valid = cbpf::validate(*program);
  ASSERT_TRUE(valid);
  const Traffic traffic = generate_mix(7, 2000);
  const auto all =
      executed_means({.program = *valid}, std::array{NamedClassic{"libpcap", &*program}},
                     traffic.packets, {.kernel = false});
  ASSERT_EQ(all.size(), 2U);
  for (const Executed& one : all) {
    ASSERT_TRUE(one.matching && one.rejected) << one.program;
    EXPECT_GT(*one.matching, 5) << one.program;
    EXPECT_LT(*one.matching, 50) << one.program;
    EXPECT_GE(*one.rejected, 3) << one.program;
  }
}

}  // namespace
}  // namespace weir::bench
