// What the proof says of small programs: what it must prove, and above all what it must not.
#include "translator/userspace/bounds_analysis.h"

#include <gtest/gtest.h>

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
constexpr Jump jump(JumpOp op, Reg dst, Operand src, std::int32_t offset) {
  return {.op = op, .dst = dst, .src = src, .offset = offset};
}

// r2 = data, r3 = data_end, then `rest`.
Program program_of(std::vector<Instruction> rest) {
  Program program;
  program.instructions = {load(Width::kDw, kR2, kR1, 0), load(Width::kDw, kR3, kR1, 8)};
  program.instructions.insert(program.instructions.end(), rest.begin(), rest.end());
  return program;
}

std::size_t unproven(std::vector<Instruction> rest) {
  return prove_packet_accesses(program_of(std::move(rest))).unproven;
}

TEST(Prove, ACompareWithTheEndProvesTheBytesBeforeIt) {
  for (const auto& [offset, want] :
       {std::pair<std::int16_t, std::size_t>{0, 0}, {12, 0}, {13, 1}, {14, 1}, {-1, 1}, {-2, 1}}) {
    const Load access = load(Width::kH, kR0, kR2, offset);
    EXPECT_EQ(
        unproven({move(kR4, kR2), add(kR4, 14), jump(JumpOp::kGt, kR4, kR3, 1), access, Exit{}}),
        want)
        << offset;
    EXPECT_EQ(
        unproven({move(kR4, kR2), add(kR4, 14), jump(JumpOp::kLt, kR3, kR4, 1), access, Exit{}}),
        want)
        << offset;
    EXPECT_EQ(unproven({move(kR4, kR2), add(kR4, 14), jump(JumpOp::kLe, kR4, kR3, 1), Exit{},
                        access, Exit{}}),
              want)
        << offset;
    EXPECT_EQ(unproven({move(kR4, kR2), add(kR4, 14), jump(JumpOp::kGe, kR3, kR4, 1), Exit{},
                        access, Exit{}}),
              want)
        << offset;
  }
}

TEST(Prove, TheOtherWayOfTheCompareProvesNothing) {
  const Load access = load(Width::kB, kR0, kR2);
  for (const JumpOp op : {JumpOp::kLe, JumpOp::kLt, JumpOp::kSet, JumpOp::kSGt, JumpOp::kSGe}) {
    EXPECT_EQ(unproven({move(kR4, kR2), add(kR4, 14), jump(op, kR4, kR3, 1), access, Exit{}}), 1U)
        << static_cast<int>(op);
  }
  for (const JumpOp op : {JumpOp::kGt, JumpOp::kGe, JumpOp::kNe, JumpOp::kSLt}) {
    EXPECT_EQ(
        unproven({move(kR4, kR2), add(kR4, 14), jump(op, kR4, kR3, 1), Exit{}, access, Exit{}}), 1U)
        << static_cast<int>(op);
  }
  // A compare of 32 bits of the pointers says nothing of them.
  Jump narrow = jump(JumpOp::kGt, kR4, kR3, 1);
  narrow.is64 = false;
  EXPECT_EQ(unproven({move(kR4, kR2), add(kR4, 14), narrow, access, Exit{}}), 1U);
}

TEST(Prove, NothingIsProvenWithoutACompareOrForWrites) {
  EXPECT_EQ(unproven({load(Width::kB, kR0, kR2), Exit{}}), 1U);
  EXPECT_EQ(unproven({move(kR4, kR2), add(kR4, 14), jump(JumpOp::kGt, kR4, kR3, 1),
                      Store{.width = Width::kB, .dst = kR2, .src = 0}, Exit{}}),
            1U);
  EXPECT_EQ(unproven({Store{.width = Width::kW, .dst = kR1, .offset = 16, .src = 0}, Exit{}}), 1U);
  EXPECT_EQ(unproven({load(Width::kB, kR0, kR3), Exit{}}), 1U);
}

// r4 = data + (byte 0, times 4 below 61); what is compared is r4 + 8.
std::vector<Instruction> variable(Load access, std::vector<Instruction> before = {}) {
  std::vector<Instruction> all = {move(kR5, kR2),
                                  add(kR5, 1),
                                  jump(JumpOp::kGt, kR5, kR3, 11),
                                  load(Width::kB, kR4, kR2),
                                  alu32(AluOp::kAnd, kR4, 15),
                                  alu32(AluOp::kLsh, kR4, 2)};
  all.insert(all.end(), before.begin(), before.end());
  const std::vector<Instruction> rest = {
      add(kR4, kR2), move(kR5, kR4), add(kR5, 8), jump(JumpOp::kGt, kR5, kR3, 2), access, Exit{}};
  all.insert(all.end(), rest.begin(), rest.end());
  all.insert(all.end(), 3, Exit{});
  return all;
}

TEST(Prove, VariablePartsAreSharedByWhatIsCompared) {
  EXPECT_EQ(unproven(variable(load(Width::kDw, kR0, kR4))), 0U);
  EXPECT_EQ(unproven(variable(load(Width::kDw, kR0, kR4, 1))), 1U);
  EXPECT_EQ(unproven(variable(load(Width::kB, kR0, kR4, -1))), 1U);
  EXPECT_EQ(unproven(variable(load(Width::kB, kR0, kR2, 0))), 0U);
  EXPECT_EQ(unproven(variable(load(Width::kB, kR0, kR2, 1))), 1U);
}

TEST(Prove, ANumberThatCouldWrapMakesNoPointer) {
  // r4 negated is anything of 64 bits: data + that may lie before data.
  EXPECT_EQ(unproven(variable(load(Width::kB, kR0, kR4), {Alu{.op = AluOp::kNeg, .dst = kR4}})),
            1U);
  // Of 32 bits it is only large.
  EXPECT_EQ(unproven(variable(load(Width::kB, kR0, kR4), {alu32(AluOp::kNeg, kR4, 0)})), 0U);
}

TEST(Prove, WaysThatMeetKeepWhatBothKnow) {
  // Where the first compare leads to the access, nothing is known on that way.
  const auto joined = [](std::int32_t leads_to) {
    return unproven({move(kR4, kR2), add(kR4, 4), jump(JumpOp::kGt, kR4, kR3, leads_to),
                     move(kR4, kR2), add(kR4, 14), jump(JumpOp::kGt, kR4, kR3, 0),
                     load(Width::kW, kR0, kR2), Exit{}});
  };
  EXPECT_EQ(joined(3), 1U);
  EXPECT_EQ(joined(4), 0U);
  // A pointer on one way and a number on the other is a number.
  const auto mixed = [](Reg written) {
    return unproven({load(Width::kW, kR0, kR1, 16), move(kR4, kR2), add(kR4, 4),
                     jump(JumpOp::kGt, kR4, kR3, 3), jump(JumpOp::kEq, kR0, 0, 1), move(written, 5),
                     load(Width::kB, kR0, kR2), Exit{}});
  };
  EXPECT_EQ(mixed(kR2), 1U);
  EXPECT_EQ(mixed(kR5), 0U);
}

// Two ways that move r2 on by different numbers, one of them read from the packet, and meet in
// front of an access. Behind where r2 points then are `first` bytes on the one way, `second` on the
// other.
std::size_t unproven_behind_meeting(std::int32_t first, std::int32_t second, Width width,
                                    std::int16_t offset) {
  return unproven({
      add(kR2, 14),
      jump(JumpOp::kGt, kR2, kR3, 11),
      load(Width::kB, kR4, kR2, -2),
      jump(JumpOp::kEq, kR4, 7, 4),
      add(kR2, first),  // One way.
      jump(JumpOp::kGt, kR2, kR3, 7),
      add(kR2, -first),
      Jump{.op = JumpOp::kJa, .offset = 4},
      add(kR2, kR4),  // The other.
      add(kR2, second),
      jump(JumpOp::kGt, kR2, kR3, 2),
      add(kR2, -second),
      load(width, kR0, kR2, offset),
      Exit{},
  });
}

TEST(Prove, PointersThatMeetKeepTheBytesBehindBoth) {
  EXPECT_EQ(unproven_behind_meeting(10, 20, Width::kH, 8), 0U);
  EXPECT_EQ(unproven_behind_meeting(20, 10, Width::kH, 8), 0U);
  EXPECT_EQ(unproven_behind_meeting(10, 20, Width::kH, 9), 1U);
  EXPECT_EQ(unproven_behind_meeting(20, 10, Width::kH, 9), 1U);
  // What is in front of both is in the packet, and no more.
  EXPECT_EQ(unproven_behind_meeting(10, 10, Width::kH, -14), 0U);
  EXPECT_EQ(unproven_behind_meeting(10, 10, Width::kH, -15), 1U);
}

TEST(Prove, PointersThatMeetAtDifferentDistancesCountFromTheNearerOne) {
  // r2 is data + 20 or data + 4, with 20 bytes checked on both ways.
  for (const auto& [offset, want] :
       {std::pair<std::int16_t, std::size_t>{-1, 0}, {-4, 0}, {-5, 1}, {0, 1}}) {
    EXPECT_EQ(unproven({add(kR2, 20), jump(JumpOp::kGt, kR2, kR3, 5), load(Width::kB, kR4, kR2, -1),
                        jump(JumpOp::kEq, kR4, 7, 1), add(kR2, -16),
                        load(Width::kB, kR0, kR2, offset), Exit{}, Exit{}}),
              want)
        << offset;
  }
}

TEST(Prove, DataIsReadWithinItsSize) {
  const auto with_data = [](std::vector<Instruction> index, std::int16_t offset = 0) {
    std::vector<Instruction> all = {load(Width::kW, kR4, kR1, 16)};
    all.insert(all.end(), index.begin(), index.end());
    all.push_back(LoadImm64{.kind = Imm64Kind::kMapValueIndex, .dst = kR5});
    all.push_back(add(kR5, kR4));
    all.push_back(load(Width::kW, kR0, kR5, offset));
    all.push_back(Exit{});
    Program program = program_of(std::move(all));
    program.maps = {{.name = "data", .value_size = 64, .data = std::vector<std::uint8_t>(64)}};
    return prove_packet_accesses(program).unproven;
  };
  EXPECT_EQ(with_data({}), 1U);
  EXPECT_EQ(with_data({alu32(AluOp::kAnd, kR4, 60)}), 0U);
  EXPECT_EQ(with_data({alu32(AluOp::kAnd, kR4, 61)}), 1U);
  EXPECT_EQ(with_data({alu32(AluOp::kAnd, kR4, 60)}, 1), 1U);
  EXPECT_EQ(with_data({alu32(AluOp::kAnd, kR4, 60)}, -1), 1U);
  EXPECT_EQ(with_data({alu32(AluOp::kRsh, kR4, 28), alu32(AluOp::kLsh, kR4, 2)}), 0U);
  EXPECT_EQ(with_data({alu32(AluOp::kMod, kR4, 61)}), 0U);
  EXPECT_EQ(with_data({alu32(AluOp::kMod, kR4, 62)}), 1U);
  EXPECT_EQ(with_data({jump(JumpOp::kGt, kR4, 60, 4)}), 0U);
  EXPECT_EQ(with_data({jump(JumpOp::kGt, kR4, 61, 4)}), 1U);
  EXPECT_EQ(with_data({jump(JumpOp::kSGt, kR4, 60, 4)}), 1U);
}

TEST(Prove, TheStackKeepsPointers) {
  const auto spilled = [](std::vector<Instruction> between) {
    std::vector<Instruction> all = {move(kR4, kR2), add(kR4, 14), jump(JumpOp::kGt, kR4, kR3, 9),
                                    Store{.dst = kR10, .offset = -8, .src = kR2}};
    all.insert(all.end(), between.begin(), between.end());
    all.push_back(load(Width::kDw, kR5, kR10, -8));
    all.push_back(load(Width::kW, kR0, kR5));
    all.insert(all.end(), 8, Exit{});
    return unproven(std::move(all));
  };
  EXPECT_EQ(spilled({}), 0U);
  EXPECT_EQ(spilled({Store{.dst = kR10, .offset = -16, .src = 0}}), 0U);
  EXPECT_EQ(spilled({Store{.width = Width::kB, .dst = kR10, .offset = -3, .src = 0}}), 1U);
  EXPECT_EQ(spilled({Store{.dst = kR10, .offset = -12, .src = 0}}), 1U);
  EXPECT_EQ(spilled({Call{}}), 1U);
}

TEST(Prove, TheStackEnds) {
  for (const auto& [offset, want] :
       {std::pair<std::int16_t, std::size_t>{-8, 0}, {-512, 0}, {-513, 1}, {-7, 1}, {0, 1}}) {
    EXPECT_EQ(unproven({Store{.dst = kR10, .offset = offset, .src = 0}, Exit{}}), want) << offset;
    EXPECT_EQ(unproven({load(Width::kDw, kR0, kR10, offset), Exit{}}), want) << offset;
  }
}

TEST(Prove, LoopsAndLocalCallsGetNoProof) {
  const AccessProof loop =
      prove_packet_accesses(program_of({jump(JumpOp::kEq, kR0, 1, -2), Exit{}}));
  EXPECT_FALSE(loop.forward);
  EXPECT_FALSE(loop.context_only_loaded);
  EXPECT_EQ(loop.unproven, 2U);
  const AccessProof call =
      prove_packet_accesses(program_of({Call{.kind = CallKind::kLocal, .imm = 0}, Exit{}}));
  EXPECT_FALSE(call.forward);
}

TEST(Prove, SeesWhereTheContextsAddressIsLookedAt) {
  const auto only_loaded = [](std::vector<Instruction> rest) {
    return prove_packet_accesses(program_of(std::move(rest))).context_only_loaded;
  };
  EXPECT_TRUE(only_loaded({move(kR4, kR1), load(Width::kW, kR0, kR4, 16), Exit{}}));
  EXPECT_TRUE(
      only_loaded({Store{.dst = kR10, .offset = -8, .src = kR1}, load(Width::kDw, kR4, kR10, -8),
                   load(Width::kW, kR0, kR4, 24), Exit{}}));
  EXPECT_FALSE(only_loaded({move(kR0, kR1), Exit{}}));
  EXPECT_FALSE(only_loaded({jump(JumpOp::kGt, kR1, 0, 0), Exit{}}));
  EXPECT_FALSE(only_loaded({alu32(AluOp::kMov, kR0, kR1), Exit{}}));
  EXPECT_FALSE(only_loaded({Alu{.op = AluOp::kSub, .dst = kR2, .src = kR1}, Exit{}}));
  EXPECT_FALSE(only_loaded({load(Width::kB, kR0, kR1, 16), Exit{}}));
  EXPECT_FALSE(only_loaded({load(Width::kDw, kR0, kR1, 16), Exit{}}));
  EXPECT_FALSE(only_loaded({add(kR1, 8), load(Width::kDw, kR0, kR1), Exit{}}));
  EXPECT_FALSE(only_loaded({Call{}, Exit{}}));
  EXPECT_FALSE(only_loaded(
      {Store{.dst = kR10, .offset = -8, .src = kR1}, load(Width::kW, kR0, kR10, -8), Exit{}}));
  EXPECT_FALSE(only_loaded({Store{.dst = kR10, .offset = -12, .src = kR1}, Exit{}}));
  // Where two ways meet, with the context on one of them.
  const auto met = [&only_loaded](Reg written) {
    return only_loaded(
        {load(Width::kW, kR0, kR1, 16), jump(JumpOp::kEq, kR0, 0, 1), move(written, kR1), Exit{}});
  };
  EXPECT_FALSE(met(kR0));
  EXPECT_TRUE(met(kR4));
}

TEST(Prove, SeesWhatIsReadBeforeItIsWritten) {
  const auto proof = [](std::vector<Instruction> rest) {
    return prove_packet_accesses(program_of(std::move(rest)));
  };
  EXPECT_EQ(proof({Exit{}}).read_unwritten, 1U);
  EXPECT_EQ(proof({move(kR0, 1), Exit{}}).read_unwritten, 0U);
  EXPECT_EQ(proof({move(kR0, kR5), Exit{}}).read_unwritten, 1U << 5);
  EXPECT_EQ(proof({jump(JumpOp::kEq, kR2, 0, 1), move(kR0, 1), Exit{}}).read_unwritten, 1U);
  EXPECT_EQ(proof({add(kR5, 1), move(kR0, 1), Exit{}}).read_unwritten, 1U << 5);
  EXPECT_FALSE(
      proof({Store{.dst = kR10, .offset = -8, .src = 0}, load(Width::kDw, kR0, kR10, -8), Exit{}})
          .stack_read_unwritten);
  EXPECT_TRUE(proof({load(Width::kDw, kR0, kR10, -8), Exit{}}).stack_read_unwritten);
  EXPECT_TRUE(
      proof({Store{.dst = kR10, .offset = -8, .src = 0}, load(Width::kDw, kR0, kR10, -12), Exit{}})
          .stack_read_unwritten);
}

}  // namespace
}  // namespace weir::ebpf
