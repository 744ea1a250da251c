// Which stretches may be run without jumps, and above all which may not.
#include "translator/jit/if_conversion.h"

#include <gtest/gtest.h>

#include "translator/ebpf/user_context.h"
#include "translator/userspace/bounds_analysis.h"

namespace weir::jit {
namespace {

using namespace weir::ebpf;

constexpr Reg kR0 = Reg::kR0;
constexpr Reg kR1 = Reg::kR1;
constexpr Reg kR2 = Reg::kR2;
constexpr Reg kR3 = Reg::kR3;
constexpr Reg kR4 = Reg::kR4;
constexpr Reg kR5 = Reg::kR5;

constexpr Alu move(Reg dst, Operand src) { return {.op = AluOp::kMov, .dst = dst, .src = src}; }
constexpr Alu add(Reg dst, Operand src) { return {.op = AluOp::kAdd, .dst = dst, .src = src}; }
constexpr Alu alu32(AluOp op, Reg dst, Operand src) {
  return {.op = op, .is64 = false, .dst = dst, .src = src};
}
constexpr Load load(Width width, Reg dst, Reg src, std::int16_t offset = 0) {
  return {.width = width, .dst = dst, .src = src, .offset = offset};
}
constexpr Jump jump(JumpOp op, Reg dst, Operand src, std::int32_t offset) {
  return {
      .op = op, .is64 = std::holds_alternative<Reg>(src), .dst = dst, .src = src, .offset = offset};
}

// Two questions of constant offsets; `rest` may jump to the verdict 0 two instructions behind its
// own last one, which falls through to the verdict 1.
struct Subject {
  Program program;
  PacketProgram form;
};
Subject subject_of(std::int32_t bytes, std::vector<Instruction> rest) {
  std::vector<Instruction> all = {load(Width::kDw, kR2, kR1, offsetof(UserContext, data)),
                                  load(Width::kDw, kR3, kR1, offsetof(UserContext, data_end)),
                                  add(kR2, bytes)};
  const auto n = static_cast<std::int32_t>(rest.size());
  all.emplace_back(jump(JumpOp::kGt, kR2, kR3, n + 2));
  all.insert(all.end(), rest.begin(), rest.end());
  all.insert(all.end(), {move(kR0, 1), Exit{}, move(kR0, 0), Exit{}});
  Subject subject{.program = {.instructions = all}};
  const auto form = packet_program(subject.program, prove_packet_accesses(subject.program));
  EXPECT_TRUE(form.has_value());
  subject.form = form.value_or(PacketProgram{});
  return subject;
}
std::optional<StraightLine> line_of(const Subject& subject, std::uint32_t from = 0) {
  return straight_line(subject.form, subject.program.instructions, from);
}

TEST(StraightLine, AsksForTheLengthFirstAndForAllOfIt) {
  // Header length, a pointer by it, a test there; then bytes further on.
  const Subject subject =
      subject_of(30, {load(Width::kH, kR4, kR2, -18), jump(JumpOp::kNe, kR4, 8, 13),
                      load(Width::kB, kR4, kR2, -16), alu32(AluOp::kAnd, kR4, 15),
                      alu32(AluOp::kLsh, kR4, 2), move(kR5, kR2), add(kR5, kR4),
                      jump(JumpOp::kGt, kR5, kR3, 7), load(Width::kB, kR4, kR5, -1),
                      jump(JumpOp::kEq, kR4, 2, 5), add(kR2, 4), jump(JumpOp::kGt, kR2, kR3, 3),
                      load(Width::kW, kR4, kR2, -4), jump(JumpOp::kEq, kR4, 10, 1)});
  const auto line = line_of(subject);
  ASSERT_TRUE(line.has_value()) << print(subject.form, subject.program);
  EXPECT_EQ(line->least_captured, 34U);
  EXPECT_TRUE(line->has_checks);
  EXPECT_EQ(line->choice.size(), 2U);
  EXPECT_EQ(line->steps.size(), 3U);  // The first test, the pointer, its check.
  EXPECT_EQ(subject.form.ops[line->failure].value, 0U);
}

TEST(StraightLine, NoneForOneQuestion) {
  const Subject subject =
      subject_of(14, {load(Width::kH, kR4, kR2, -2), jump(JumpOp::kNe, kR4, 8, 2)});
  EXPECT_FALSE(line_of(subject).has_value());
}

// What the table's index relies on may be the answer that the line does not wait for.
TEST(StraightLine, NoneWithALoadThatAnAnswerMakesSafe) {
  Subject subject;
  subject.program.maps = {
      {.name = "table", .value_size = 64, .data = std::vector<std::uint8_t>(64)}};
  subject.program.instructions = {load(Width::kDw, kR2, kR1, 0),
                                  load(Width::kDw, kR3, kR1, 8),
                                  add(kR2, 14),
                                  jump(JumpOp::kGt, kR2, kR3, 9),
                                  load(Width::kH, kR4, kR2, -2),
                                  jump(JumpOp::kGt, kR4, 63, 7),
                                  LoadImm64{.kind = Imm64Kind::kMapValueIndex, .dst = kR5},
                                  add(kR5, kR4),
                                  load(Width::kB, kR4, kR5),
                                  jump(JumpOp::kEq, kR4, 3, 2),
                                  move(kR0, 1),
                                  Exit{},
                                  move(kR0, 0),
                                  Exit{}};
  const AccessProof proof = prove_packet_accesses(subject.program);
  ASSERT_EQ(proof.unproven, 0U);
  subject.form = packet_program(subject.program, proof).value();
  for (std::uint32_t from = 0; from + 1 < subject.form.ops.size(); ++from) {
    EXPECT_FALSE(line_of(subject, from).has_value()) << from;
  }
}

// A number of 64 bits added to the pointer is bounded by an answer alone.
TEST(StraightLine, NoneWithAPointerThatAnAnswerBounds) {
  const Subject subject =
      subject_of(16, {load(Width::kDw, kR4, kR2, -8), jump(JumpOp::kGt, kR4, kR5, 7),
                      move(kR5, kR2), add(kR5, kR4), jump(JumpOp::kGt, kR5, kR3, 4),
                      load(Width::kB, kR4, kR5, -1), jump(JumpOp::kEq, kR4, 2, 2)});
  for (std::uint32_t from = 0; from + 1 < subject.form.ops.size(); ++from) {
    const auto line = line_of(subject, from);
    ASSERT_TRUE(!line || line->steps.size() < 3) << from << "\n"
                                                 << print(subject.form, subject.program);
  }
}

// Whether r2 is the packet's end is what makes the load behind it safe.
TEST(StraightLine, NoneOverACheckThatLooksLikeAQuestion) {
  const Subject subject =
      subject_of(14, {load(Width::kB, kR4, kR2, -1), jump(JumpOp::kNe, kR4, 8, 6), add(kR2, 8),
                      jump(JumpOp::kNe, kR2, kR3, 4), load(Width::kB, kR4, kR2, -3),
                      jump(JumpOp::kEq, kR4, 2, 2)});
  ASSERT_NE(print(subject.form, subject.program).find("if r2 != end"), std::string::npos);
  for (std::uint32_t from = 0; from + 1 < subject.form.ops.size(); ++from) {
    EXPECT_FALSE(line_of(subject, from).has_value()) << from;
  }
}

// Run in order after the check has failed, the line would ask r4, which it has changed, again.
TEST(StraightLine, NoneThatChangesWhatItBeganWithBeforeACheck) {
  Subject subject;
  subject.program.instructions = {load(Width::kDw, kR2, kR1, 0),
                                  load(Width::kDw, kR3, kR1, 8),
                                  add(kR2, 30),
                                  jump(JumpOp::kGt, kR2, kR3, 16),
                                  load(Width::kH, kR4, kR2, -18),
                                  jump(JumpOp::kEq, kR4, 0xdd86, 12),
                                  jump(JumpOp::kNe, kR4, 8, 13),  // Begins.
                                  load(Width::kB, kR4, kR2, -7),  // Changes.
                                  load(Width::kB, kR5, kR2, -16),
                                  alu32(AluOp::kAnd, kR5, 15),
                                  alu32(AluOp::kLsh, kR5, 2),
                                  add(kR2, kR5),
                                  jump(JumpOp::kGt, kR2, kR3, 7),  // Checks.
                                  jump(JumpOp::kEq, kR4, 6, 6),
                                  jump(JumpOp::kEq, kR4, 17, 1),
                                  Jump{.op = JumpOp::kJa, .offset = 4},
                                  move(kR0, 1),
                                  Exit{},
                                  load(Width::kB, kR0, kR2, -1),
                                  Exit{},
                                  move(kR0, 0),
                                  Exit{}};
  subject.form = packet_program(subject.program, prove_packet_accesses(subject.program)).value();
  const std::string text = print(subject.form, subject.program);
  ASSERT_NE(text.find("\n3: if w4 != 0x8 goto "), std::string::npos) << text;
  EXPECT_FALSE(line_of(subject, 3).has_value()) << text;
}

}  // namespace
}  // namespace weir::jit
