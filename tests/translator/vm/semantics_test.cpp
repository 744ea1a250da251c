// Every instruction against RFC 9669: small tables worked out by hand, and all operations on all
// pairs of telling values against the plain reference.
#include <gtest/gtest.h>

#include <array>

#include "tests/translator/vm/alu_reference.h"
#include "tests/translator/vm/programs.h"
#include "translator/ebpf/disassemble.h"

namespace weir::vm {
namespace {

using namespace weir::ebpf;

constexpr Reg kR0 = Reg::kR0;
constexpr Reg kR1 = Reg::kR1;
constexpr Reg kR2 = Reg::kR2;
constexpr Reg kR3 = Reg::kR3;
constexpr Reg kR6 = Reg::kR6;
constexpr Reg kR10 = Reg::kR10;

constexpr AluOp kAluOps[] = {
    AluOp::kAdd, AluOp::kSub, AluOp::kMul,  AluOp::kDiv,    AluOp::kSDiv,    AluOp::kOr,
    AluOp::kAnd, AluOp::kLsh, AluOp::kRsh,  AluOp::kNeg,    AluOp::kMod,     AluOp::kSMod,
    AluOp::kXor, AluOp::kMov, AluOp::kArsh, AluOp::kMovSx8, AluOp::kMovSx16, AluOp::kMovSx32};
constexpr JumpOp kJumpOps[] = {JumpOp::kJa,  JumpOp::kEq, JumpOp::kGt,  JumpOp::kGe,
                               JumpOp::kSet, JumpOp::kNe, JumpOp::kSGt, JumpOp::kSGe,
                               JumpOp::kLt,  JumpOp::kLe, JumpOp::kSLt, JumpOp::kSLe};
constexpr std::uint64_t kValues[] = {0,
                                     1,
                                     2,
                                     7,
                                     31,
                                     32,
                                     33,
                                     63,
                                     64,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     0x100000000,
                                     0x123456789abcdef0,
                                     0x7fffffffffffffff,
                                     0x8000000000000000,
                                     0xfffffffffffffff9,
                                     0xffffffff80000000,
                                     0xffffffffffffffff};
constexpr std::int32_t kImms[] = {
    0,   1,      2,          7,  31, 32, 33,  63,   64,    127,    128,
    255, 0x8000, 0x7fffffff, -1, -2, -7, -31, -128, -8000, -65536, -0x7fffffff - 1};

TEST(Semantics, ArithmeticOfTwoRegisters) {
  for (const AluOp op : kAluOps) {
    for (const bool is64 : {false, true}) {
      for (const std::uint64_t a : kValues) {
        for (const std::uint64_t b : kValues) {
          const Alu alu{.op = op, .is64 = is64, .dst = kR0, .src = kR1};
          ASSERT_EQ(result({constant(kR0, a), constant(kR1, b), alu, Exit{}}),
                    reference_alu(op, is64, a, b))
              << to_string(Instruction(alu)) << " of " << a << " and " << b;
        }
      }
    }
  }
}

TEST(Semantics, ArithmeticWithAnImmediate) {
  for (const AluOp op : kAluOps) {
    for (const bool is64 : {false, true}) {
      for (const std::uint64_t a : kValues) {
        for (const std::int32_t b : kImms) {
          const Alu alu{.op = op, .is64 = is64, .dst = kR0, .src = b};
          ASSERT_EQ(result({constant(kR0, a), alu, Exit{}}),
                    reference_alu(op, is64, a, static_cast<std::uint64_t>(std::int64_t{b})))
              << to_string(Instruction(alu)) << " of " << a;
        }
      }
    }
  }
}

// The same by hand, where people get it wrong.
TEST(Semantics, ArithmeticByHand) {
  struct Case {
    AluOp op;
    bool is64;
    std::uint64_t a;
    std::uint64_t b;
    std::uint64_t want;
  };
  constexpr std::uint64_t kMin64 = 0x8000000000000000;
  const Case cases[] = {
      {AluOp::kAdd, false, 0xffffffffffffffff, 1, 0},
      {AluOp::kAdd, true, 0xffffffffffffffff, 1, 0},
      {AluOp::kSub, false, 0, 1, 0xffffffff},
      {AluOp::kDiv, true, 7, 0, 0},
      {AluOp::kDiv, false, 0xfffffffff, 0, 0},
      {AluOp::kMod, true, 0x123456789a, 0, 0x123456789a},
      {AluOp::kMod, false, 0x123456789a, 0, 0x3456789a},
      {AluOp::kSDiv, true, static_cast<std::uint64_t>(-13), 3, static_cast<std::uint64_t>(-4)},
      {AluOp::kSMod, true, static_cast<std::uint64_t>(-13), 3, static_cast<std::uint64_t>(-1)},
      {AluOp::kSMod, true, 13, static_cast<std::uint64_t>(-3), 1},
      {AluOp::kSDiv, true, kMin64, static_cast<std::uint64_t>(-1), kMin64},
      {AluOp::kSMod, true, kMin64, static_cast<std::uint64_t>(-1), 0},
      {AluOp::kSDiv, false, 0x80000000, 0xffffffff, 0x80000000},
      {AluOp::kSMod, false, 0x80000000, 0xffffffff, 0},
      {AluOp::kLsh, false, 1, 33, 2},
      {AluOp::kLsh, true, 1, 65, 2},
      {AluOp::kRsh, false, 0xf80000000, 31, 1},
      {AluOp::kArsh, false, 0x80000000, 31, 0xffffffff},
      {AluOp::kArsh, true, kMin64, 63, 0xffffffffffffffff},
      {AluOp::kMov, false, 0, 0xffffffffffffffff, 0xffffffff},
      {AluOp::kMovSx8, true, 0, 0x180, 0xffffffffffffff80},
      {AluOp::kMovSx8, false, 0, 0x180, 0xffffff80},
      {AluOp::kMovSx16, true, 0, 0x17fff, 0x7fff},
      {AluOp::kMovSx32, true, 0, 0x180000000, 0xffffffff80000000},
      {AluOp::kNeg, false, 1, 0, 0xffffffff},
      {AluOp::kNeg, true, 1, 0, 0xffffffffffffffff},
  };
  for (const Case& one : cases) {
    const Alu alu{.op = one.op, .is64 = one.is64, .dst = kR0, .src = kR1};
    EXPECT_EQ(result({constant(kR0, one.a), constant(kR1, one.b), alu, Exit{}}), one.want)
        << to_string(Instruction(alu)) << " of " << one.a << " and " << one.b;
  }
}

TEST(Semantics, ByteOrder) {
  constexpr std::uint64_t kValue = 0x1122334455667788;
  const auto swapped = [](EndianOp op, std::uint8_t bits) {
    return result({constant(kR0, kValue), Endian{.op = op, .bits = bits, .dst = kR0}, Exit{}});
  };
  EXPECT_EQ(swapped(EndianOp::kSwap, 16), 0x8877U);
  EXPECT_EQ(swapped(EndianOp::kSwap, 32), 0x88776655U);
  EXPECT_EQ(swapped(EndianOp::kSwap, 64), 0x8877665544332211U);
  const bool little = std::endian::native == std::endian::little;
  const EndianOp same = little ? EndianOp::kToLittle : EndianOp::kToBig;
  const EndianOp other = little ? EndianOp::kToBig : EndianOp::kToLittle;
  EXPECT_EQ(swapped(same, 16), 0x7788U);
  EXPECT_EQ(swapped(same, 32), 0x55667788U);
  EXPECT_EQ(swapped(same, 64), kValue);
  EXPECT_EQ(swapped(other, 16), 0x8877U);
  EXPECT_EQ(swapped(other, 32), 0x88776655U);
  EXPECT_EQ(swapped(other, 64), 0x8877665544332211U);
}

TEST(Semantics, JumpsOnTwoRegistersAndOnImmediates) {
  for (const JumpOp op : kJumpOps) {
    for (const bool is64 : {false, true}) {
      for (const std::uint64_t a : kValues) {
        const auto taken = [&](Operand src) {
          return result({move(kR0, 1), constant(kR2, a),
                         Jump{.op = op, .is64 = is64, .dst = kR2, .src = src, .offset = 1},
                         move(kR0, 0), Exit{}});
        };
        // The second operand in r3 comes by memory: r1 = where it is.
        for (std::uint64_t b : kValues) {
          const auto bytes = std::as_writable_bytes(std::span(&b, 1));
          const std::span memory(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size());
          const std::uint64_t got =
              result({Load{.dst = kR3, .src = kR1}, move(kR0, 1), constant(kR2, a),
                      Jump{.op = op, .is64 = is64, .dst = kR2, .src = kR3, .offset = 1},
                      move(kR0, 0), Exit{}},
                     memory);
          ASSERT_EQ(got != 0, reference_jump(op, is64, a, b))
              << static_cast<int>(op) << " " << is64 << " of " << a << " and " << b;
        }
        for (const std::int32_t b : kImms) {
          ASSERT_EQ(taken(b) != 0,
                    reference_jump(op, is64, a, static_cast<std::uint64_t>(std::int64_t{b})))
              << static_cast<int>(op) << " " << is64 << " of " << a << " and " << b;
        }
      }
    }
  }
}

TEST(Semantics, Loads) {
  std::array<std::uint8_t, 16> memory = {0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
                                         0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f};
  const auto loaded = [&](Width width, bool extend, std::int16_t offset) {
    return result(
        {Load{.width = width, .sign_extend = extend, .dst = kR0, .src = kR1, .offset = offset},
         Exit{}},
        memory);
  };
  if (std::endian::native == std::endian::little) {
    EXPECT_EQ(loaded(Width::kB, false, 1), 0x81U);
    EXPECT_EQ(loaded(Width::kH, false, 1), 0x8281U);
    EXPECT_EQ(loaded(Width::kW, false, 1), 0x84838281U);
    EXPECT_EQ(loaded(Width::kDw, false, 1), 0x0887868584838281U);
    EXPECT_EQ(loaded(Width::kB, true, 1), 0xffffffffffffff81U);
    EXPECT_EQ(loaded(Width::kH, true, 1), 0xffffffffffff8281U);
    EXPECT_EQ(loaded(Width::kW, true, 1), 0xffffffff84838281U);
    EXPECT_EQ(loaded(Width::kDw, true, 1), 0x0887868584838281U);
    EXPECT_EQ(loaded(Width::kB, true, 9), 0x09U);
    EXPECT_EQ(loaded(Width::kH, true, 9), 0x0a09U);
    EXPECT_EQ(loaded(Width::kW, true, 9), 0x0c0b0a09U);
  }
  // A negative offset, from the end: r2 is the size.
  EXPECT_EQ(result({Alu{.op = AluOp::kAdd, .dst = kR1, .src = kR2},
                    Load{.width = Width::kB, .dst = kR0, .src = kR1, .offset = -1}, Exit{}},
                   memory),
            0x0fU);
}

TEST(Semantics, Stores) {
  constexpr std::uint64_t kValue = 0x1122334455667788;
  constexpr std::uint64_t kFilled = 0xeeeeeeeeeeeeeeee;
  struct Case {
    Width width;
    std::uint64_t of_register;
    std::uint64_t of_minus_two;
  };
  const Case cases[] = {{Width::kB, 0xeeeeeeeeeeeeee88, 0xeeeeeeeeeeeeeefe},
                        {Width::kH, 0xeeeeeeeeeeee7788, 0xeeeeeeeeeeeefffe},
                        {Width::kW, 0xeeeeeeee55667788, 0xeeeeeeeefffffffe},
                        {Width::kDw, kValue, 0xfffffffffffffffe}};
  for (const Case& one : cases) {
    const auto stored = [&](Operand src) {
      return result({constant(kR2, kFilled), Store{.dst = kR10, .offset = -8, .src = kR2},
                     constant(kR3, kValue),
                     Store{.width = one.width, .dst = kR10, .offset = -8, .src = src},
                     Load{.dst = kR0, .src = kR10, .offset = -8}, Exit{}});
    };
    if (std::endian::native == std::endian::little) {
      EXPECT_EQ(stored(kR3), one.of_register) << static_cast<int>(one.width);
      EXPECT_EQ(stored(-2), one.of_minus_two) << static_cast<int>(one.width);
    }
  }
}

TEST(Semantics, Atomics) {
  struct Case {
    AtomicOp op;
    std::uint64_t left;  // In memory, of 12 and 10.
  };
  const Case cases[] = {{AtomicOp::kAdd, 22},
                        {AtomicOp::kOr, 14},
                        {AtomicOp::kAnd, 8},
                        {AtomicOp::kXor, 6},
                        {AtomicOp::kExchange, 10}};
  constexpr std::uint64_t kHigh = 0x500000000;
  for (const Case& one : cases) {
    for (const Width width : {Width::kW, Width::kDw}) {
      for (const bool fetch : {false, true}) {
        if (one.op == AtomicOp::kExchange && !fetch) {
          continue;
        }
        // Memory holds 5:12, r2 is 0:10; r0 becomes the memory, r2 what was fetched.
        const auto run = [&](Reg answer) {
          return result({constant(kR1, kHigh + 12), Store{.dst = kR10, .offset = -8, .src = kR1},
                         move(kR2, 10),
                         Atomic{.op = one.op,
                                .fetch = fetch,
                                .width = width,
                                .dst = kR10,
                                .offset = -8,
                                .src = kR2},
                         Load{.dst = kR3, .src = kR10, .offset = -8}, move(kR0, answer), Exit{}});
        };
        const bool keeps_high = width == Width::kW || one.op == AtomicOp::kAdd ||
                                one.op == AtomicOp::kOr || one.op == AtomicOp::kXor;
        EXPECT_EQ(run(kR3), one.left + (keeps_high ? kHigh : 0));
        const std::uint64_t old = width == Width::kW ? 12 : kHigh + 12;
        EXPECT_EQ(run(kR2), fetch ? old : 10);
      }
    }
  }
}

TEST(Semantics, CompareAndExchange) {
  constexpr std::uint64_t kOld = 0x50000000c;
  const auto run = [](Width width, std::uint64_t expected, Reg answer) {
    return result({constant(kR1, kOld), Store{.dst = kR10, .offset = -8, .src = kR1}, move(kR2, 10),
                   constant(kR0, expected),
                   Atomic{.op = AtomicOp::kCompareExchange,
                          .fetch = true,
                          .width = width,
                          .dst = kR10,
                          .offset = -8,
                          .src = kR2},
                   Load{.dst = kR3, .src = kR10, .offset = -8}, move(kR0, answer), Exit{}});
  };
  EXPECT_EQ(run(Width::kDw, kOld, kR3), 10U);
  EXPECT_EQ(run(Width::kDw, kOld, kR0), kOld);
  EXPECT_EQ(run(Width::kDw, 12, kR3), kOld);
  EXPECT_EQ(run(Width::kDw, 12, kR0), kOld);
  EXPECT_EQ(run(Width::kW, 0x90000000c, kR3), 0x50000000aU);  // Only the low half is compared.
  EXPECT_EQ(run(Width::kW, 13, kR3), kOld);
  EXPECT_EQ(run(Width::kW, 0xffffffff00000000, kR0), 12U);
  EXPECT_EQ(run(Width::kW, 0xffffffff00000000, kR2), 10U);
}

TEST(Semantics, FarJumps) {
  EXPECT_EQ(result({Jump{.op = JumpOp::kJa, .is64 = false, .offset = 2}, move(kR0, 1), Exit{},
                    move(kR0, 2), Jump{.op = JumpOp::kJa, .offset = -3}}),
            2U);
  // Over a 64-bit immediate, which is two slots.
  EXPECT_EQ(result({Jump{.op = JumpOp::kJa, .offset = 2}, constant(kR0, 7), Exit{}}), 0U);
}

TEST(Semantics, LoopsCount) {
  // r0 = 1 + 2 + … + 100.
  EXPECT_EQ(result({move(kR1, 100), Alu{.op = AluOp::kAdd, .dst = kR0, .src = kR1},
                    Alu{.op = AluOp::kSub, .dst = kR1, .src = 1},
                    Jump{.op = JumpOp::kNe, .dst = kR1, .src = 0, .offset = -3}, Exit{}}),
            5050U);
}

// A function that adds its arguments spoils r6 and its own frame; the caller finds its own again.
TEST(Semantics, LocalCallsHaveFramesOfTheirOwn) {
  EXPECT_EQ(result({Store{.dst = kR10, .offset = -8, .src = 1000}, move(kR6, 100), move(kR1, 3),
                    move(kR2, 4), Call{.kind = CallKind::kLocal, .imm = 4},
                    Alu{.op = AluOp::kAdd, .dst = kR0, .src = kR6},
                    Load{.dst = kR1, .src = kR10, .offset = -8},
                    Alu{.op = AluOp::kAdd, .dst = kR0, .src = kR1}, Exit{},
                    // The function.
                    Load{.dst = kR0, .src = kR10, .offset = -8},
                    Alu{.op = AluOp::kAdd, .dst = kR0, .src = kR1},
                    Alu{.op = AluOp::kAdd, .dst = kR0, .src = kR2},
                    Store{.dst = kR10, .offset = -8, .src = 77}, move(kR6, 55), Exit{}}),
            1107U);
}

TEST(Semantics, ACalleeReachesItsCallersFrame) {
  EXPECT_EQ(result({move(kR1, kR10), Call{.kind = CallKind::kLocal, .imm = 2},
                    Load{.dst = kR0, .src = kR10, .offset = -16}, Exit{},
                    Store{.dst = kR1, .offset = -16, .src = 42}, Exit{}}),
            42U);
}

// Recursion to the eighth frame: each adds one.
std::vector<Instruction> recursion(std::int32_t calls) {
  return {move(kR1, calls),
          Call{.kind = CallKind::kLocal, .imm = 1},
          Exit{},
          Jump{.op = JumpOp::kEq, .dst = kR1, .src = 1, .offset = 2},
          Alu{.op = AluOp::kSub, .dst = kR1, .src = 1},
          Call{.kind = CallKind::kLocal, .imm = -3},
          Alu{.op = AluOp::kAdd, .dst = kR0, .src = 1},
          Exit{}};
}

TEST(Semantics, EightFramesAndNotNine) {
  EXPECT_EQ(result(recursion(7)), 7U);
  EXPECT_EQ(fault(recursion(8)), "instruction 5: call of a frame beyond the 8 there are");
}

std::uint64_t weigh(void* user, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d,
                    std::uint64_t e) {
  ++*static_cast<int*>(user);
  return a + 10 * b + 100 * c + 1000 * d + 10000 * e;
}

TEST(Semantics, HelpersGetFiveArguments) {
  int calls = 0;
  const Helper helpers[] = {{.number = 5, .function = weigh, .user = &calls}};
  const Program program = program_of({move(kR1, 1), move(kR2, 2), move(kR3, 3), move(Reg::kR4, 4),
                                      move(Reg::kR5, 5), Call{.imm = 5}, Exit{}});
  EXPECT_EQ(machine(program, helpers).run({}).value_or(0), 54321U);
  EXPECT_EQ(calls, 2);  // One of each machine.
}

TEST(Semantics, DataSectionsAreReadByIndex) {
  Program program = program_of(
      {LoadImm64{
           .kind = Imm64Kind::kMapValueIndex, .dst = kR1, .value = std::uint64_t{2} << 32 | 1},
       Load{.width = Width::kB, .dst = kR0, .src = kR1}, Exit{}});
  program.maps = {{.name = "a", .value_size = 1, .data = {9}},
                  {.name = "b", .value_size = 4, .data = {1, 2, 3, 4}}};
  EXPECT_EQ(result(program), 3U);
}

TEST(Semantics, LegacyLoadsReadThePacketInNetworkOrder) {
  const std::vector<std::uint8_t> packet = {1, 2, 3, 4, 5};
  const auto load = [&](std::vector<Instruction> instructions) {
    return machine(program_of(std::move(instructions)), {}, {.legacy_packet_access = true})
        .run({.packet = packet})
        .value_or(0xdead);
  };
  EXPECT_EQ(load({LoadPacket{.width = Width::kB, .imm = 4}, Exit{}}), 5U);
  EXPECT_EQ(load({LoadPacket{.width = Width::kH, .imm = 3}, Exit{}}), 0x0405U);
  EXPECT_EQ(load({LoadPacket{.width = Width::kW, .imm = 1}, Exit{}}), 0x02030405U);
  EXPECT_EQ(
      load({constant(kR6, 0x500000001),
            LoadPacket{.width = Width::kH, .indirect = true, .index = kR6, .imm = 1}, Exit{}}),
      0x0304U);
  // Past the end, or before the start, the program ends with 0, from a function too.
  for (const std::int32_t offset : {2, 5, -1, -0x1000}) {
    EXPECT_EQ(
        load({move(kR0, 7), LoadPacket{.width = Width::kW, .imm = offset}, move(kR0, 9), Exit{}}),
        0U);
  }
  EXPECT_EQ(load({Call{.kind = CallKind::kLocal, .imm = 2}, move(kR0, 9), Exit{},
                  LoadPacket{.width = Width::kW, .imm = 2}, Exit{}}),
            0U);
}

TEST(Semantics, RegistersAndStackBeginAtZero) {
  for (int reg = 0; reg < 10; ++reg) {
    EXPECT_EQ(result({move(kR0, static_cast<Reg>(reg)), Exit{}}), 0U) << reg;
  }
  EXPECT_EQ(result({Load{.dst = kR0, .src = kR10, .offset = -512}, Exit{}}), 0U);
}

TEST(Semantics, MemoryIsWrittenAndItsSizeIsInR2) {
  std::array<std::uint8_t, 4> memory = {1, 2, 3, 4};
  EXPECT_EQ(
      result({Store{.width = Width::kB, .dst = kR1, .offset = 3, .src = 9}, move(kR0, kR2), Exit{}},
             memory),
      4U);
  EXPECT_EQ(memory[3], 9);
  EXPECT_EQ(result({move(kR0, kR1), Exit{}}), 0U);
}

}  // namespace
}  // namespace weir::vm
