// Small programs and the listing of their packet form.
#include "translator/userspace/packet_program.h"

#include <gtest/gtest.h>

#include "translator/ebpf/user_context.h"

namespace weir::ebpf {
namespace {

constexpr Reg kR0 = Reg::kR0;
constexpr Reg kR1 = Reg::kR1;
constexpr Reg kR2 = Reg::kR2;
constexpr Reg kR3 = Reg::kR3;
constexpr Reg kR4 = Reg::kR4;
constexpr Reg kR5 = Reg::kR5;
constexpr Reg kR10 = Reg::kR10;

constexpr Alu move(Reg dst, Operand src) { return {.op = AluOp::kMov, .dst = dst, .src = src}; }
constexpr Alu add(Reg dst, Operand src) { return {.op = AluOp::kAdd, .dst = dst, .src = src}; }
constexpr Alu alu32(AluOp op, Reg dst, Operand src) {
  return {.op = op, .is64 = false, .dst = dst, .src = src};
}
constexpr Load load(Width width, Reg dst, Reg src, std::int16_t offset = 0) {
  return {.width = width, .dst = dst, .src = src, .offset = offset};
}
constexpr Jump jump(JumpOp op, Reg dst, Operand src, std::int32_t offset, bool is64 = true) {
  return {.op = op, .is64 = is64, .dst = dst, .src = src, .offset = offset};
}
constexpr Jump go(std::int32_t offset) { return {.op = JumpOp::kJa, .offset = offset}; }

// r2 = data, r3 = data_end, r2 += bytes, if r2 > r3 goto the last instruction; then `rest`, whose
// last instruction is an exit.
Program checked(std::int32_t bytes, std::vector<Instruction> rest) {
  std::vector<Instruction> all = {
      load(Width::kDw, kR2, kR1, offsetof(UserContext, data)),
      load(Width::kDw, kR3, kR1, offsetof(UserContext, data_end)), add(kR2, bytes),
      jump(JumpOp::kGt, kR2, kR3, static_cast<std::int32_t>(slot_count(rest)) - 1)};
  all.insert(all.end(), rest.begin(), rest.end());
  return {.instructions = all};
}

std::string form(const Program& program) {
  const auto form = packet_program(program, prove_packet_accesses(program));
  return form ? print(*form, program) : "none";
}

TEST(PacketProgram, AFilterIsALengthATestAndVerdicts) {
  EXPECT_EQ(
      form({.instructions = {move(kR0, 0), load(Width::kDw, kR2, kR1, 0),
                             load(Width::kDw, kR3, kR1, 8), add(kR2, 14),
                             jump(JumpOp::kGt, kR2, kR3, 3), load(Width::kH, kR2, kR2, -2),
                             jump(JumpOp::kNe, kR2, 8, 1, false), move(kR0, 262144), Exit{}}}),
      "0: if captured < 14 goto 3\n"
      "1: if u16[start + 12] != 0x8 goto 3\n"
      "2: verdict 262144\n"
      "3: verdict 0\n");
}

TEST(PacketProgram, ComparesWithTheEndOfBothSidesAndEveryOrder) {
  const auto text = [](JumpOp op, bool end_left) {
    return form({.instructions = {load(Width::kDw, kR2, kR1, 0), load(Width::kDw, kR3, kR1, 8),
                                  add(kR2, 20),
                                  end_left ? jump(op, kR3, kR2, 1) : jump(op, kR2, kR3, 1),
                                  move(kR0, 1), Exit{}}})
        .substr(0, 27);
  };
  EXPECT_EQ(text(JumpOp::kGt, false), "0: if captured < 20 goto 2\n");
  EXPECT_EQ(text(JumpOp::kGe, false), "0: if captured < 21 goto 2\n");
  EXPECT_EQ(text(JumpOp::kLe, false), "0: if captured >= 20 goto 2");
  EXPECT_EQ(text(JumpOp::kLt, false), "0: if captured >= 21 goto 2");
  EXPECT_EQ(text(JumpOp::kLt, true), "0: if captured < 20 goto 2\n");
  EXPECT_EQ(text(JumpOp::kLe, true), "0: if captured < 21 goto 2\n");
  EXPECT_EQ(text(JumpOp::kGe, true), "0: if captured >= 20 goto 2");
  EXPECT_EQ(text(JumpOp::kGt, true), "0: if captured >= 21 goto 2");
}

TEST(PacketProgram, PointersThatVaryKeepTheirRegister) {
  EXPECT_EQ(form(checked(24, {load(Width::kB, kR4, kR2, -10), alu32(AluOp::kAnd, kR4, 15),
                              alu32(AluOp::kLsh, kR4, 2), add(kR2, kR4), add(kR2, -8),
                              jump(JumpOp::kGt, kR2, kR3, 2), load(Width::kH, kR0, kR2, -2), Exit{},
                              move(kR0, 0), Exit{}})),
            "0: if captured < 24 goto 5\n"
            "1: r2 = start + 16 + ((u8[start + 14] & 0xf) << 2)\n"
            "2: if r2 > end goto 5\n"
            "3: r0 = u16[r2 - 2]\n"
            "4: verdict r0\n"
            "5: verdict 0\n");
  // The length itself is read again.
  EXPECT_EQ(form(checked(24, {load(Width::kB, kR0, kR2, -10), alu32(AluOp::kAnd, kR0, 15),
                              alu32(AluOp::kLsh, kR0, 2), add(kR2, kR0), add(kR2, -8),
                              jump(JumpOp::kGt, kR2, kR3, 0), Exit{}})),
            "0: if captured < 24 goto 7\n"
            "1: r0 = u8[start + 14]\n"
            "2: w0 &= 15\n"
            "3: w0 <<= 2\n"
            "4: r2 = start + r0 + 16\n"
            "5: if r2 > end goto 6\n"
            "6: verdict r0\n"
            "7: verdict 0\n");
}

TEST(PacketProgram, ATestTakesAMaskAlong) {
  EXPECT_EQ(form(checked(24, {load(Width::kW, kR4, kR2, -4), alu32(AluOp::kAnd, kR4, 0xff1f),
                              jump(JumpOp::kEq, kR4, 6, 1, false), move(kR0, 1), Exit{}})),
            "0: if captured < 24 goto 3\n"
            "1: if (u16[start + 20] & 0xff1f) == 0x6 goto 3\n"
            "2: verdict 1\n"
            "3: verdict 0\n");
}

TEST(PacketProgram, AMaskThatLeavesFewBytesLeavesTheOthersUnread) {
  const auto masked = [](std::int32_t mask, JumpOp op, std::int32_t value) {
    const std::string text =
        form(checked(24, {load(Width::kW, kR4, kR2, -4), alu32(AluOp::kAnd, kR4, mask),
                          jump(op, kR4, value, 1, false), move(kR0, 1), Exit{}}));
    const std::size_t begin = text.find("1: ");
    return text.substr(begin + 3, text.find('\n', begin) - begin - 3);
  };
  EXPECT_EQ(masked(0xff, JumpOp::kEq, 10), "if u8[start + 20] == 0xa goto 3");
  EXPECT_EQ(masked(0xff00, JumpOp::kNe, 0x600), "if u8[start + 21] != 0x6 goto 3");
  EXPECT_EQ(masked(-0x10000, JumpOp::kEq, 0x80000), "if u16[start + 22] == 0x8 goto 3");
  EXPECT_EQ(masked(0x0f00, JumpOp::kEq, 0x500), "if (u8[start + 21] & 0xf) == 0x5 goto 3");
  EXPECT_EQ(masked(0xffffff, JumpOp::kEq, 5), "if (u32[start + 20] & 0xffffff) == 0x5 goto 3");
  EXPECT_EQ(masked(0xff00ff, JumpOp::kEq, 5), "if (u32[start + 20] & 0xff00ff) == 0x5 goto 3");
  // Never so; an order.
  EXPECT_EQ(masked(0xff, JumpOp::kEq, 0x100), "if (u32[start + 20] & 0xff) == 0x100 goto 3");
  EXPECT_EQ(masked(0xff, JumpOp::kGt, 3), "if (u32[start + 20] & 0xff) > 0x3 goto 3");
}

TEST(PacketProgram, WhatIsReadAgainStaysLoaded) {
  EXPECT_EQ(form(checked(
                14, {load(Width::kH, kR0, kR2, -2), jump(JumpOp::kEq, kR0, 8, 0, false), Exit{}})),
            "0: if captured < 14 goto 4\n"
            "1: r0 = u16[start + 12]\n"
            "2: if w0 == 0x8 goto 3\n"
            "3: verdict r0\n"
            "4: verdict 0\n");
  // Read on the way that is taken only.
  EXPECT_EQ(form(checked(14, {load(Width::kH, kR0, kR2, -2), jump(JumpOp::kEq, kR0, 8, 1, false),
                              move(kR0, 7), Exit{}})),
            "0: if captured < 14 goto 5\n"
            "1: r0 = u16[start + 12]\n"
            "2: if w0 == 0x8 goto 4\n"
            "3: verdict 7\n"
            "4: verdict r0\n"
            "5: verdict 0\n");
}

TEST(PacketProgram, ATestThatIsJumpedToKeepsItsRegister) {
  // The second load is jumped over.
  EXPECT_EQ(form(checked(14, {load(Width::kB, kR4, kR2, -2), load(Width::kB, kR5, kR2, -1),
                              jump(JumpOp::kEq, kR5, 3, 1, false), load(Width::kB, kR4, kR2, -3),
                              jump(JumpOp::kNe, kR4, 6, 1, false), move(kR0, 1), Exit{}})),
            "0: if captured < 14 goto 6\n"
            "1: r4 = u8[start + 12]\n"
            "2: if u8[start + 13] == 0x3 goto 4\n"
            "3: r4 = u8[start + 11]\n"
            "4: if w4 != 0x6 goto 6\n"
            "5: verdict 1\n"
            "6: verdict 0\n");
}

TEST(PacketProgram, NumbersThatATestCannotHoldAreCompared) {
  // A number of 64 bits, and an order with a sign.
  const std::string wide = form(checked(
      14, {load(Width::kW, kR4, kR2, -4), jump(JumpOp::kEq, kR4, -1, 1), move(kR0, 1), Exit{}}));
  EXPECT_NE(wide.find("r4 = u32[start + 10]"), std::string::npos) << wide;
  const std::string with_sign =
      form(checked(14, {load(Width::kW, kR4, kR2, -4), jump(JumpOp::kSGt, kR4, 1, 1, false),
                        move(kR0, 1), Exit{}}));
  EXPECT_NE(with_sign.find("r4 = u32[start + 10]"), std::string::npos) << with_sign;
}

TEST(PacketProgram, BytesAreTurnedWhereTheyAreLoaded) {
  EXPECT_EQ(form(checked(14, {load(Width::kH, kR0, kR2, -2),
                              Endian{.op = EndianOp::kSwap, .bits = 16, .dst = kR0}, Exit{}})),
            "0: if captured < 14 goto 3\n"
            "1: r0 = u16be[start + 12]\n"
            "2: verdict r0\n"
            "3: verdict 0\n");
}

TEST(PacketProgram, FieldsOfTheContext) {
  EXPECT_EQ(
      form({.instructions = {load(Width::kW, kR4, kR1, offsetof(UserContext, length)), move(kR0, 0),
                             jump(JumpOp::kGt, kR4, 100, 1, false), Exit{}, move(kR0, 5), Exit{}}}),
      "0: r4 = context[16]\n"
      "1: if w4 > 0x64 goto 3\n"
      "2: verdict 0\n"
      "3: verdict 5\n");
}

TEST(PacketProgram, WaysThroughVerdictsAreShort) {
  // goto, r0 = 3, goto, exit.
  EXPECT_EQ(form({.instructions = {move(kR0, 1), go(1), Exit{}, move(kR0, 3), go(-0), Exit{}}}),
            "0: verdict 3\n");
}

TEST(PacketProgram, SaysWhatItNeeds) {
  const Program program = checked(
      14, {load(Width::kB, kR4, kR2, -2), alu32(AluOp::kAdd, kR4, kR5), move(kR0, kR4), Exit{}});
  const auto made = packet_program(program, prove_packet_accesses(program));
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->zeroed, 1U << 5);
  EXPECT_EQ(made->used, 1U << 0 | 1U << 4 | 1U << 5);
  EXPECT_EQ(made->first_byte, 12);
  EXPECT_EQ(made->behind_bytes, 13);
  EXPECT_FALSE(made->reads_elsewhere);
  EXPECT_FALSE(made->calls);
}

TEST(PacketProgram, NoneWhereTheProofIsNotEnough) {
  // A load nobody checked, the context's address as the verdict, a way back, a legacy load.
  EXPECT_EQ(
      form({.instructions = {load(Width::kDw, kR2, kR1, 0), load(Width::kB, kR0, kR2), Exit{}}}),
      "none");
  EXPECT_EQ(form({.instructions = {move(kR0, kR1), Exit{}}}), "none");
  EXPECT_EQ(
      form({.instructions = {move(kR0, 0), add(kR0, 1), jump(JumpOp::kLt, kR0, 5, -2), Exit{}}}),
      "none");
  EXPECT_EQ(form({.instructions = {LoadPacket{}, Exit{}}}), "none");
}

TEST(PacketProgram, TheStackIsAsItWas) {
  EXPECT_EQ(form({.instructions = {Store{.width = Width::kW, .dst = kR10, .offset = -4, .src = 9},
                                   load(Width::kW, kR0, kR10, -4), Exit{}}}),
            "0: *(u32 *)(r10 - 4) = 9\n"
            "1: r0 = u32[r10 - 4]\n"
            "2: verdict r0\n");
}

TEST(PacketProgram, ATestOverAVerdictIsTurned) {
  const auto over = [](JumpOp op, std::int32_t value) {
    return form(
        checked(14, {load(Width::kB, kR4, kR2, -2), jump(op, kR4, value, 2, false), move(kR0, 0),
                     Exit{}, load(Width::kB, kR0, kR2, -1), Exit{}, move(kR0, 0), Exit{}}));
  };
  EXPECT_EQ(over(JumpOp::kEq, 6),
            "0: if captured < 14 goto 4\n"
            "1: if u8[start + 12] != 0x6 goto 4\n"
            "2: r0 = u8[start + 13]\n"
            "3: verdict r0\n"
            "4: verdict 0\n");
  EXPECT_NE(over(JumpOp::kSet, 2).find("if (u8[start + 12] & 0x2) == 0x0 goto 4"),
            std::string::npos);
  EXPECT_NE(over(JumpOp::kGt, 2).find("if u8[start + 12] <= 0x2 goto 4"), std::string::npos);
  EXPECT_NE(over(JumpOp::kLt, 2).find("if u8[start + 12] >= 0x2 goto 4"), std::string::npos);
}

// The first jump leads to what nobody reads, and from there to the verdict.
TEST(PacketProgram, ATestOverAVerdictThatOthersComeToIsNotTurned) {
  EXPECT_EQ(form(checked(14, {load(Width::kB, kR4, kR2, -3), jump(JumpOp::kNe, kR4, 1, 2, false),
                              load(Width::kB, kR4, kR2, -2), jump(JumpOp::kEq, kR4, 6, 3, false),
                              add(kR2, 4), move(kR0, 0), Exit{}, load(Width::kB, kR0, kR2, -1),
                              Exit{}, move(kR0, 0), Exit{}})),
            "0: if captured < 14 goto 6\n"
            "1: if u8[start + 11] != 0x1 goto 3\n"
            "2: if u8[start + 12] == 0x6 goto 4\n"
            "3: verdict 0\n"
            "4: r0 = u8[start + 13]\n"
            "5: verdict r0\n"
            "6: verdict 0\n");
}

// Nobody gives r10 a value where nothing reads it, so nothing may be written below it.
TEST(PacketProgram, AStackOfWhichNothingIsUsedIsNotZeroed) {
  const Program program{.instructions = {load(Width::kDw, kR4, kR10, -8), move(kR0, 1), Exit{}}};
  const auto made = packet_program(program, prove_packet_accesses(program));
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(print(*made, program), "0: verdict 1\n");
  EXPECT_FALSE(made->stack_zeroed);
}

}  // namespace
}  // namespace weir::ebpf
