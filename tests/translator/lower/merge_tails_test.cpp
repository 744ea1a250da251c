// What becomes of code that is there twice, shown on short programs.
#include "translator/lower/extended/emit/merge_tails.h"

#include <gtest/gtest.h>

#include <string>

#include "translator/ebpf/assembler.h"
#include "translator/ebpf/check.h"
#include "translator/ebpf/disassemble.h"

namespace weir::lower {
namespace {

using ebpf::Alu;
using ebpf::Assembler;
using ebpf::Exit;
using ebpf::JumpOp;
using ebpf::Label;
using ebpf::Load;
using ebpf::Reg;
using ebpf::Width;

Alu set(Reg dst, std::int32_t imm) { return {.is64 = false, .dst = dst, .src = imm}; }
Load load(Reg dst, std::int16_t offset) {
  return {.width = Width::kW, .dst = dst, .src = Reg::kR1, .offset = offset};
}

std::string merged(Assembler assembler) {
  const ebpf::Program program = merge_tails(std::move(assembler).finish());
  const Status checked = ebpf::check(program);
  EXPECT_TRUE(checked) << to_string(checked.error());
  EXPECT_EQ(program.origins.size(), program.instructions.size());
  return "\n" + ebpf::disassemble(program.instructions);
}

// if (r2 == 1) { first... } else { second... }, and each side ends with a test of r3.
TEST(MergeTails, TestsThatLeadToTheSameAreOne) {
  Assembler a;
  const Label other = a.new_label();
  const Label yes = a.new_label();
  const Label no = a.new_label();
  a.jump_if(JumpOp::kEq, Reg::kR2, 1, other);
  a.emit(load(Reg::kR3, 4));
  a.jump_if(JumpOp::kNe, Reg::kR3, 7, no);  // The same condition, turned round.
  a.jump(yes);
  a.bind(other);
  a.emit(load(Reg::kR3, 8));
  a.jump_if(JumpOp::kEq, Reg::kR3, 7, yes);
  a.bind(no);
  a.emit(set(Reg::kR0, 0));
  a.emit(Exit{});
  a.bind(yes);
  a.emit(set(Reg::kR0, 1));
  a.emit(Exit{});
  EXPECT_EQ(merged(std::move(a)), R"(
0: if w2 == 0x1 goto pc+2 <3>
1: r3 = *(u32 *)(r1 + 4)
2: goto pc+1 <4>
3: r3 = *(u32 *)(r1 + 8)
4: if w3 == 0x7 goto pc+2 <7>
5: w0 = 0
6: exit
7: w0 = 1
8: exit
)");
}

TEST(MergeTails, ATestWhoseWaysDoTheSameIsNone) {
  Assembler a;
  const Label other = a.new_label();
  a.jump_if(JumpOp::kGt, Reg::kR2, 1, other);
  a.emit(set(Reg::kR0, 1));
  a.emit(Exit{});
  a.bind(other);
  a.emit(set(Reg::kR0, 1));
  a.emit(Exit{});
  EXPECT_EQ(merged(std::move(a)), "\n0: w0 = 1\n1: exit\n");
}

TEST(MergeTails, WhatOnlyLooksTheSameStays) {
  Assembler a;
  const Label other = a.new_label();
  const Label yes = a.new_label();
  a.jump_if(JumpOp::kEq, Reg::kR2, 1, other);
  a.jump_if(JumpOp::kEq, Reg::kR3, 7, yes, true);  // 64 bits.
  a.emit(set(Reg::kR0, 0));
  a.emit(Exit{});
  a.bind(other);
  a.jump_if(JumpOp::kEq, Reg::kR3, 7, yes);  // 32 bits.
  a.emit(set(Reg::kR0, 0));
  a.emit(Exit{});
  a.bind(yes);
  a.emit(set(Reg::kR0, 1));
  a.emit(Exit{});
  EXPECT_EQ(merged(std::move(a)), R"(
0: if w2 == 0x1 goto pc+2 <3>
1: if r3 == 0x7 goto pc+4 <6>
2: goto pc+1 <4>
3: if w3 == 0x7 goto pc+2 <6>
4: w0 = 0
5: exit
6: w0 = 1
7: exit
)");
}

TEST(MergeTails, AJumpToAnExitIsAnExit) {
  Assembler a;
  const Label other = a.new_label();
  const Label end = a.new_label();
  a.emit(set(Reg::kR0, 0));
  a.jump_if(JumpOp::kSet, Reg::kR2, 1, other);
  a.jump(end);
  a.bind(other);
  a.emit(set(Reg::kR0, 1));
  a.bind(end);
  a.emit(Exit{});
  EXPECT_EQ(merged(std::move(a)), R"(
0: w0 = 0
1: if w2 & 0x1 goto pc+1 <3>
2: exit
3: w0 = 1
4: exit
)");
}

TEST(MergeTails, AWayBackToTheTopStays) {
  Assembler a;
  const Label top = a.new_label();
  const Label again = a.new_label();
  const Label end = a.new_label();
  a.emit(set(Reg::kR0, 0));
  a.bind(top);
  a.emit(load(Reg::kR2, 0));
  a.jump_if(JumpOp::kEq, Reg::kR2, 0, again);
  a.bind(end);
  a.emit(Exit{});
  a.bind(again);
  a.emit(set(Reg::kR0, 1));
  a.jump(top);
  EXPECT_EQ(merged(std::move(a)), R"(
0: w0 = 0
1: r2 = *(u32 *)(r1 + 0)
2: if w2 == 0x0 goto pc+1 <4>
3: exit
4: w0 = 1
5: goto pc-5 <1>
)");
}

}  // namespace
}  // namespace weir::lower
