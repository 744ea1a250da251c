#include "translator/ebpf/assembler.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>

#include "translator/ebpf/check.h"
#include "translator/ebpf/disassemble.h"

namespace weir::ebpf {
namespace {

constexpr Alu kOne{.op = AluOp::kMov, .is64 = true, .dst = Reg::kR0, .src = 1};

// Follows a program whose only effects are moves into r0 and whose conditions are decided by
// `taken`, one answer a condition met; gives what r0 is at the exit.
std::optional<std::int32_t> follow(const Program& program, const std::vector<bool>& taken) {
  std::vector<std::size_t> at_slot;
  std::vector<std::size_t> slot_of;
  for (std::size_t i = 0; i < program.instructions.size(); ++i) {
    slot_of.push_back(at_slot.size());
    at_slot.insert(at_slot.end(), slots(program.instructions[i]), i);
  }
  std::int32_t r0 = -1;
  std::size_t conditions = 0;
  for (std::size_t i = 0, steps = 0; steps < 10 * at_slot.size(); ++steps) {
    const Instruction& instruction = program.instructions[i];
    ++i;
    if (const auto* alu = std::get_if<Alu>(&instruction)) {
      r0 = std::get<std::int32_t>(alu->src);
    } else if (const auto* jump = std::get_if<Jump>(&instruction)) {
      if (jump->op == JumpOp::kJa || taken.at(conditions++)) {
        const auto to = static_cast<std::int64_t>(slot_of[i - 1]) + 1 + jump->offset;
        i = at_slot.at(static_cast<std::size_t>(to));
      }
    } else if (std::holds_alternative<Exit>(instruction)) {
      return r0;
    }
  }
  return std::nullopt;
}

bool every_jump_fits_16_bits(const Program& program) {
  for (const Instruction& instruction : program.instructions) {
    const auto* jump = std::get_if<Jump>(&instruction);
    if (jump != nullptr && (jump->offset < -32768 || jump->offset > 32767)) {
      return false;
    }
  }
  return true;
}

TEST(Assembler, ResolvesLabelsInSlots) {
  Assembler a;
  const Label end = a.new_label();
  const Label back = a.new_label();
  a.set_origin(7);
  a.bind(back);
  a.jump_if(JumpOp::kEq, Reg::kR2, 0x800, end);
  a.set_origin(8);
  a.emit(LoadImm64{.dst = Reg::kR1, .value = 5});
  a.jump_if(JumpOp::kSet, Reg::kR1, Reg::kR2, back, true);
  a.jump(end);
  a.bind(end);
  a.emit(Exit{});
  EXPECT_EQ(a.size(), 5U);
  const Program program = std::move(a).finish();
  EXPECT_EQ(disassemble(program.instructions),
            "0: if w2 == 0x800 goto pc+4 <5>\n"
            "1: r1 = 0x5\n"
            "3: if r1 & r2 goto pc-4 <0>\n"
            "4: goto pc+0 <5>\n"
            "5: exit\n");
  EXPECT_EQ(program.origins, (std::vector<std::uint32_t>{7, 8, 8, 8, 8}));
}

// A jump of exactly the 16-bit reach stays as it is; one slot more and it needs an island.
TEST(Assembler, ReachesAsFarAsSixteenBitsGo) {
  for (const std::size_t between : {32767U, 32768U}) {
    Assembler a;
    const Label end = a.new_label();
    a.jump_if(JumpOp::kSet, Reg::kR1, 1, end);
    for (std::size_t i = 0; i < between; ++i) {
      a.emit(kOne);
    }
    a.bind(end);
    a.emit(Exit{});
    const Program program = std::move(a).finish();
    EXPECT_EQ(program.instructions.size() == between + 2, between == 32767U);
    EXPECT_TRUE(every_jump_fits_16_bits(program));
    EXPECT_TRUE(check(program).has_value());
    EXPECT_EQ(program.origins.size(), program.instructions.size());
    EXPECT_EQ(follow(program, {true}), -1);
    EXPECT_EQ(follow(program, {false}), 1);
  }
}

TEST(Assembler, GoesBackOverIslandsToo) {
  Assembler a;
  const Label start = a.new_label();
  const Label begin = a.new_label();
  a.jump(begin);
  a.bind(start);
  a.emit(Alu{.dst = Reg::kR0, .src = 42});
  a.emit(Exit{});
  a.bind(begin);
  for (int i = 0; i < 100000; ++i) {
    a.emit(kOne);
  }
  a.jump_if(JumpOp::kSLt, Reg::kR1, -1, start, true);
  a.emit(Exit{});
  const Program program = std::move(a).finish();
  EXPECT_TRUE(every_jump_fits_16_bits(program));
  EXPECT_TRUE(check(program).has_value());
  EXPECT_EQ(follow(program, {true}), 42);
  EXPECT_EQ(follow(program, {false}), 1);
}

// A long chain of tests with jumps to a handful of far exits, as a long filter has it: every test
// must still lead where it led.
TEST(Assembler, KeepsTheWayOfEveryJumpInALongProgram) {
  constexpr std::size_t kTests = 60000;
  constexpr int kExits = 5;
  std::mt19937 random(2014);
  Assembler a;
  std::vector<Label> exits;
  for (int i = 0; i < kExits; ++i) {
    exits.push_back(a.new_label());
  }
  std::vector<int> leads;
  for (std::size_t i = 0; i < kTests; ++i) {
    leads.push_back(static_cast<int>(random() % kExits));
    if (random() % 8 == 0) {
      a.emit(LoadImm64{.dst = Reg::kR2, .value = i});
    }
    a.jump_if(JumpOp::kSet, Reg::kR1, static_cast<std::int32_t>(i),
              exits[static_cast<std::size_t>(leads.back())]);
  }
  a.emit(Alu{.dst = Reg::kR0, .src = 1000});
  a.emit(Exit{});
  for (int i = 0; i < kExits; ++i) {
    a.bind(exits[static_cast<std::size_t>(i)]);
    a.emit(Alu{.dst = Reg::kR0, .src = i});
    a.emit(Exit{});
  }
  const Program program = std::move(a).finish();
  EXPECT_TRUE(every_jump_fits_16_bits(program));
  EXPECT_TRUE(check(program).has_value());
  EXPECT_LT(program.instructions.size(), kTests * 9 / 8 + 1000);
  std::vector<bool> taken(kTests, false);
  EXPECT_EQ(follow(program, taken), 1000);
  for (std::size_t i = 0; i < kTests; i += 4999) {
    taken[i] = true;
    EXPECT_EQ(follow(program, taken), leads[i]) << i;
    taken[i] = false;
  }
}

// As many far jumps as a jump reaches, each to a place of its own: their islands stand in the way
// of all the others without end.
TEST(Assembler, GivesUpWhereIslandsMakeEveryWayLonger) {
  constexpr std::size_t kTests = 40000;
  Assembler a;
  std::vector<Label> places;
  for (std::size_t i = 0; i < kTests; ++i) {
    places.push_back(a.new_label());
    a.jump_if(JumpOp::kSet, Reg::kR1, static_cast<std::int32_t>(i), places.back());
  }
  a.emit(Exit{});
  for (const Label place : places) {
    a.bind(place);
    a.emit(kOne);
    a.emit(Exit{});
  }
  const Program program = std::move(a).finish();
  EXPECT_FALSE(every_jump_fits_16_bits(program));
  const Status checked = check(program);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message.find("farther than its 16 bits reach"), std::string::npos)
      << checked.error().message;
}

}  // namespace
}  // namespace weir::ebpf
