#include "xdp/kernel/verifier_log.h"

#include <gtest/gtest.h>

namespace weir::xdp {
namespace {

using ebpf::Alu;
using ebpf::Exit;
using ebpf::LoadImm64;

TEST(SlotOrigins, CountsALongImmediateTwice) {
  const std::vector<ebpf::Instruction> instructions = {Alu{}, LoadImm64{}, Exit{}};
  EXPECT_EQ(slot_origins(instructions, std::vector<std::uint32_t>{4, 5, 6}),
            (std::vector<std::uint32_t>{4, 5, 5, 6}));
}

TEST(Refusal, IsTheLastTellingLineWithTheClassicInstructionInTheDetail) {
  constexpr std::string_view kLog =
      "0: R1=ctx() R10=fp0\n"
      "0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2_w=pkt(r=0)\n"
      "1: (71) r0 = *(u8 *)(r2 +0)\n"
      "invalid access to packet, off=0 size=1, R2(id=0,off=0,r=0)\n"
      "R2 offset is outside of the packet\n"
      "verification time 40 usec\n"
      "processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 "
      "mark_read 0\n";
  const Refusal refusal = read_refusal(kLog, std::vector<std::uint32_t>{0xffffffff, 7});
  EXPECT_EQ(refusal.sentence, "R2 offset is outside of the packet");
  EXPECT_EQ(refusal.detail,
            "0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2_w=pkt(r=0)\n"
            "1: (71) r0 = *(u8 *)(r2 +0)  [classic instruction 7]\n"
            "invalid access to packet, off=0 size=1, R2(id=0,off=0,r=0)\n"
            "R2 offset is outside of the packet");
}

TEST(Refusal, BeforeTheTraceNamesTheInstructionToo) {
  const Refusal refusal =
      read_refusal("unreachable insn 1\nprocessed 0 insns\n", std::vector<std::uint32_t>{2, 3});
  EXPECT_EQ(refusal.sentence, "unreachable insn 1");
  EXPECT_EQ(refusal.detail, "unreachable insn 1  [classic instruction 3]");
}

TEST(Refusal, OfASilentLogIsEmpty) {
  EXPECT_EQ(read_refusal("", {}).sentence, "");
  EXPECT_EQ(read_refusal("0: (95) exit\nprocessed 1 insns\n", {}).sentence, "");
}

TEST(Statistics, AreReadFromTheLog) {
  const VerifierStatistics statistics = read_statistics(
      "verification time 35 usec\nstack depth 16\nprocessed 123 insns (limit 1000000) "
      "max_states_per_insn 1 total_states 9 peak_states 8 mark_read 4\n");
  EXPECT_EQ(statistics.processed_instructions, 123U);
  EXPECT_EQ(statistics.peak_states, 8U);
  EXPECT_EQ(statistics.stack_depth, 16U);
}

}  // namespace
}  // namespace weir::xdp
