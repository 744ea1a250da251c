#include "translator/ebpf/disassemble.h"

#include <gtest/gtest.h>

#include "translator/ebpf/encode.h"

namespace weir::ebpf {
namespace {

// Every form once, as slots in hexadecimal and as text.
TEST(Disassemble, WritesEveryFormInTheKernelsStyle) {
  struct Case {
    std::string hex;
    std::string text;
  };
  const Case cases[] = {
      {"0701000005000000", "r1 += 5"},
      {"0f21000000000000", "r1 += r2"},
      {"04010000fbffffff", "w1 += -5"},
      {"0c21000000000000", "w1 += w2"},
      {"1f21000000000000", "r1 -= r2"},
      {"2f21000000000000", "r1 *= r2"},
      {"3f21000000000000", "r1 /= r2"},
      {"3f21010000000000", "r1 s/= r2"},
      {"4f21000000000000", "r1 |= r2"},
      {"540300000f000000", "w3 &= 15"},
      {"6f21000000000000", "r1 <<= r2"},
      {"7701000020000000", "r1 >>= 32"},
      {"8701000000000000", "r1 = -r1"},
      {"8401000000000000", "w1 = -w1"},
      {"9701000007000000", "r1 %= 7"},
      {"9c21010000000000", "w1 s%= w2"},
      {"af21000000000000", "r1 ^= r2"},
      {"bf21000000000000", "r1 = r2"},
      {"b4010000ffffffff", "w1 = -1"},
      {"bf21080000000000", "r1 = (s8)r2"},
      {"bc21100000000000", "w1 = (s16)w2"},
      {"bf21200000000000", "r1 = (s32)r2"},
      {"c701000020000000", "r1 s>>= 32"},
      {"d401000010000000", "r1 = le16 r1"},
      {"dc01000020000000", "r1 = be32 r1"},
      {"d701000040000000", "r1 = bswap64 r1"},
      {"69100c0000000000", "r0 = *(u16 *)(r1 + 12)"},
      {"7110000000000000", "r0 = *(u8 *)(r1 + 0)"},
      {"61a0fcff00000000", "r0 = *(u32 *)(r10 - 4)"},
      {"79a0008000000000", "r0 = *(u64 *)(r10 - 32768)"},
      {"91100c0000000000", "r0 = *(s8 *)(r1 + 12)"},
      {"89100c0000000000", "r0 = *(s16 *)(r1 + 12)"},
      {"81100c0000000000", "r0 = *(s32 *)(r1 + 12)"},
      {"720affff05000000", "*(u8 *)(r10 - 1) = 5"},
      {"7a0af8ffffffffff", "*(u64 *)(r10 - 8) = -1"},
      {"631afcff00000000", "*(u32 *)(r10 - 4) = r1"},
      {"db1af8ff00000000", "lock *(u64 *)(r10 - 8) += r1"},
      {"c31af8ff40000000", "lock *(u32 *)(r10 - 8) |= r1"},
      {"c31af8ff50000000", "lock *(u32 *)(r10 - 8) &= r1"},
      {"c31af8ffa0000000", "lock *(u32 *)(r10 - 8) ^= r1"},
      {"db1af8ff01000000", "r1 = atomic64_fetch_add((u64 *)(r10 - 8), r1)"},
      {"c31af8ff41000000", "r1 = atomic_fetch_or((u32 *)(r10 - 8), r1)"},
      {"c31af8ff51000000", "r1 = atomic_fetch_and((u32 *)(r10 - 8), r1)"},
      {"c31af8ffa1000000", "r1 = atomic_fetch_xor((u32 *)(r10 - 8), r1)"},
      {"c31af8ffe1000000", "r1 = atomic_xchg((u32 *)(r10 - 8), r1)"},
      {"db1af8fff1000000", "r0 = atomic64_cmpxchg((u64 *)(r10 - 8), r0, r1)"},
      {"1801000078563412 00000000efcdab90", "r1 = 0x90abcdef12345678"},
      {"1811000004000000 0000000000000000", "r1 = map[fd:4]"},
      {"1821000004000000 0000000008000000", "r1 = map[fd:4][0]+8"},
      {"1831000004000000 0000000000000000", "r1 = var[id:4]"},
      {"1841000004000000 0000000000000000", "r1 = subprog[+4]"},
      {"1851000004000000 0000000000000000", "r1 = map[idx:4]"},
      {"1861000004000000 0000000008000000", "r1 = map[idx:4][0]+8"},
      {"200000000c000000", "r0 = *(u32 *)skb[12]"},
      {"280000000c000000", "r0 = *(u16 *)skb[12]"},
      {"5070000017000000", "r0 = *(u8 *)skb[r7 + 23]"},
      {"0500050000000000", "goto pc+5"},
      {"0600000000000100", "gotol pc+65536"},
      {"15020500ffffffff", "if r2 == 0xffffffff goto pc+5"},
      {"2d320500 00000000", "if r2 > r3 goto pc+5"},
      {"3d32050000000000", "if r2 >= r3 goto pc+5"},
      {"4502feff07000000", "if r2 & 0x7 goto pc-2"},
      {"5602050000080000", "if w2 != 0x800 goto pc+5"},
      {"6e32050000000000", "if w2 s> w3 goto pc+5"},
      {"7e32050000000000", "if w2 s>= w3 goto pc+5"},
      {"ae32050000000000", "if w2 < w3 goto pc+5"},
      {"be32050000000000", "if w2 <= w3 goto pc+5"},
      {"ce32050000000000", "if w2 s< w3 goto pc+5"},
      {"de32050000000000", "if w2 s<= w3 goto pc+5"},
      {"850000000c000000", "call 12"},
      {"8510000003000000", "call pc+3"},
      {"8520000064000000", "call kernel-function 100"},
      {"9500000000000000", "exit"},
  };
  for (const Case& one : cases) {
    const auto slots = slots_from_hex(one.hex);
    ASSERT_TRUE(slots.has_value()) << one.text;
    const auto decoded = decode(*slots);
    ASSERT_TRUE(decoded.has_value()) << one.text << ": " << to_string(decoded.error());
    EXPECT_EQ(to_string((*decoded)[0]), one.text);
  }
}

TEST(Disassemble, NumbersSlotsAndTargets) {
  const Instruction program[] = {LoadImm64{.dst = Reg::kR1, .value = 1},
                                 Jump{.op = JumpOp::kEq, .dst = Reg::kR1, .src = 0, .offset = 1},
                                 Call{.kind = CallKind::kLocal, .imm = -2}, Exit{}};
  EXPECT_EQ(disassemble(program),
            "0: r1 = 0x1\n"
            "2: if r1 == 0x0 goto pc+1 <4>\n"
            "3: call pc-2 <2>\n"
            "4: exit\n");
}

}  // namespace
}  // namespace weir::ebpf
