#include "translator/ebpf/check.h"

#include <gtest/gtest.h>

namespace weir::ebpf {
namespace {

constexpr Alu kZero{.dst = Reg::kR0, .src = 0};

Program program(std::vector<Instruction> instructions) {
  return {.instructions = std::move(instructions)};
}

// What check() says of a program, "" when it has nothing to say.
std::string verdict(const Program& checked) {
  const Status status = check(checked);
  if (status) {
    return "";
  }
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidProgram);
  return to_string(status.error());
}

std::string verdict(std::vector<Instruction> instructions) {
  return verdict(program(std::move(instructions)));
}

TEST(Check, AcceptsAProgramWithEverythingInPlace) {
  Program good = program(
      {kZero,
       LoadImm64{
           .kind = Imm64Kind::kMapValueIndex, .dst = Reg::kR1, .value = std::uint64_t{7} << 32},
       Alu{.op = AluOp::kLsh, .is64 = true, .src = 63},
       Alu{.op = AluOp::kDiv, .is64 = false, .src = 1},
       Jump{.op = JumpOp::kEq, .dst = Reg::kR0, .src = 0, .offset = 2},
       Call{.kind = CallKind::kLocal, .imm = 1}, Exit{}, Exit{}});
  good.maps = {{.name = "table", .value_size = 8, .data = std::vector<std::uint8_t>(8)}};
  good.origins.assign(good.instructions.size(), kNoOrigin);
  EXPECT_EQ(verdict(good), "");
}

TEST(Check, RefusesPrograms) {
  EXPECT_EQ(verdict(std::vector<Instruction>{}), "the program is empty");
  EXPECT_EQ(verdict({kZero}), "instruction 0: the program runs off its end");
  EXPECT_EQ(verdict({Jump{.op = JumpOp::kEq, .offset = 1}, Exit{}, kZero}),
            "instruction 2: the program runs off its end");
  EXPECT_EQ(verdict({Exit{}, Exit{}}), "instruction 1: the instruction is never reached");
  EXPECT_EQ(verdict({Jump{.offset = 1}, kZero, Exit{}}),
            "instruction 1: the instruction is never reached");

  Program origins = program({kZero, Exit{}});
  origins.origins = {0};
  EXPECT_EQ(verdict(origins), "not every instruction has an origin");
  Program data = program({kZero, Exit{}});
  data.maps = {{.name = "table", .value_size = 8, .data = {1}}};
  EXPECT_EQ(verdict(data), "map table has 1 bytes of data for a value of 8");
}

TEST(Check, RefusesJumpsToNoInstruction) {
  const std::string message = "instruction 0: the jump leads to no instruction";
  EXPECT_EQ(verdict({Jump{.offset = 1}, Exit{}}), message);
  EXPECT_EQ(verdict({Jump{.offset = -2}, Exit{}}), message);
  EXPECT_EQ(verdict({Jump{.op = JumpOp::kEq, .offset = 2}, LoadImm64{}, Exit{}}), "");
  EXPECT_EQ(verdict({Jump{.op = JumpOp::kEq, .offset = 1}, LoadImm64{}, Exit{}}), message);
  EXPECT_EQ(verdict({Call{.kind = CallKind::kLocal, .imm = 1}, Exit{}}),
            "instruction 0: the call leads to no instruction");
  EXPECT_EQ(verdict({LoadImm64{.kind = Imm64Kind::kCode, .value = 2}, Exit{}, Exit{}}), "");
  for (const std::uint64_t distance : {3U, 0x7fffffffU, 0x80000000U, 0xfffffffeU}) {
    EXPECT_EQ(verdict({LoadImm64{.kind = Imm64Kind::kCode, .value = distance}, Exit{}, Exit{}}),
              "instruction 0: the address of code is no instruction")
        << distance;
  }
}

TEST(Check, RefusesInstructionsByThemselves) {
  const auto alone = [](Instruction instruction) {
    return verdict({kZero, std::move(instruction), Exit{}});
  };
  EXPECT_EQ(alone(Alu{.op = AluOp::kLsh, .is64 = true, .src = 64}),
            "instruction 1: shift of 64 bits by 64");
  EXPECT_EQ(alone(Alu{.op = AluOp::kRsh, .is64 = false, .src = 32}),
            "instruction 1: shift of 32 bits by 32");
  EXPECT_EQ(alone(Alu{.op = AluOp::kArsh, .is64 = false, .src = -1}),
            "instruction 1: shift of 32 bits by -1");
  for (const AluOp op : {AluOp::kDiv, AluOp::kSDiv, AluOp::kMod, AluOp::kSMod}) {
    EXPECT_EQ(alone(Alu{.op = op, .src = 0}), "instruction 1: division by a constant 0");
    EXPECT_EQ(alone(Alu{.op = op, .src = Reg::kR1}), "");
  }
  EXPECT_EQ(alone(Endian{.bits = 8}), "instruction 1: a byte swap is of 16, 32 or 64 bits, not 8");
  EXPECT_EQ(alone(Atomic{.width = Width::kH}),
            "instruction 1: an atomic operation is of 4 or 8 bytes");
  EXPECT_EQ(alone(LoadPacket{.width = Width::kDw}),
            "instruction 1: a legacy packet load is of 1, 2 or 4 bytes");
  EXPECT_EQ(alone(LoadImm64{.kind = Imm64Kind::kMapIndex}), "instruction 1: no map has index 0");
  EXPECT_EQ(alone(LoadImm64{.kind = Imm64Kind::kMapValueIndex, .value = 3}),
            "instruction 1: no map has index 3");

  Program past = program(
      {LoadImm64{.kind = Imm64Kind::kMapValueIndex, .value = std::uint64_t{8} << 32}, Exit{}});
  past.maps = {{.name = "table", .value_size = 8, .data = std::vector<std::uint8_t>(8)}};
  EXPECT_EQ(verdict(past), "instruction 0: byte 8 is outside the value of map table");
}

TEST(Check, RefusesWritesToTheFramePointer) {
  const Instruction writers[] = {
      Alu{.op = AluOp::kAdd, .dst = Reg::kR10, .src = 8},
      Endian{.dst = Reg::kR10},
      Load{.dst = Reg::kR10},
      LoadImm64{.dst = Reg::kR10},
      Atomic{.op = AtomicOp::kAdd, .fetch = true, .src = Reg::kR10},
  };
  for (const Instruction& writer : writers) {
    EXPECT_EQ(verdict({writer, Exit{}}), "instruction 0: r10 is read-only");
  }
  EXPECT_EQ(verdict({Store{.dst = Reg::kR10, .offset = -8, .src = Reg::kR10},
                     Atomic{.op = AtomicOp::kAdd, .dst = Reg::kR10, .src = Reg::kR10}, Exit{}}),
            "");
}

}  // namespace
}  // namespace weir::ebpf
