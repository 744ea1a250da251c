#include "cbpf/validate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "cbpf/packet.h"

namespace weir::cbpf {
namespace {

constexpr Instruction kReturn{kRet | kK, 0, 0, 1};

std::uint32_t back(std::uint32_t instructions) { return 0U - instructions; }

constexpr Instruction make(int code, std::uint32_t k = 0, std::uint8_t jt = 0,
                           std::uint8_t jf = 0) {
  return {static_cast<std::uint16_t>(code), jt, jf, k};
}

void expect_valid(const std::vector<Instruction>& code, Dialect dialect = Dialect::kLibpcap) {
  const Result<ValidatedProgram> program = validate({code}, dialect);
  EXPECT_TRUE(program.has_value()) << to_string(program.error());
}

void expect_breach(Rule rule, std::optional<std::uint32_t> instruction,
                   const std::vector<Instruction>& code, Dialect dialect = Dialect::kLibpcap) {
  const Result<ValidatedProgram> program = validate({code}, dialect);
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().code, ErrorCode::kInvalidProgram);
  EXPECT_EQ(program.error().message, rule_sentence(rule));
  EXPECT_EQ(program.error().place.instruction, instruction);
}

TEST(Validate, Empty) { expect_breach(Rule::kEmpty, std::nullopt, {}); }

TEST(Validate, TooLong) {
  std::vector<Instruction> code(kMaxLinuxInstructions, kReturn);
  expect_valid(code, Dialect::kLinux);
  code.push_back(kReturn);
  expect_breach(Rule::kTooLong, kMaxLinuxInstructions, code, Dialect::kLinux);
  expect_valid(code, Dialect::kLibpcap);
  code.resize(1 << 20, kReturn);
  expect_valid(code, Dialect::kLibpcap);
  code.push_back(kReturn);
  expect_breach(Rule::kTooLong, 1U << 20, code, Dialect::kLibpcap);
}

// The codes that are taken, written out a second time as numbers.
TEST(Validate, UnknownOpcode) {
  const std::vector<std::uint16_t> known = {
      0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0c, 0x14, 0x15, 0x16, 0x1c,
      0x1d, 0x20, 0x24, 0x25, 0x28, 0x2c, 0x2d, 0x30, 0x34, 0x35, 0x3c, 0x3d, 0x40,
      0x44, 0x45, 0x48, 0x4c, 0x4d, 0x50, 0x54, 0x5c, 0x60, 0x61, 0x64, 0x6c, 0x74,
      0x7c, 0x80, 0x81, 0x84, 0x87, 0x94, 0x9c, 0xa4, 0xac, 0xb1};
  std::vector<std::uint16_t> taken;
  for (std::uint32_t code = 0; code <= 0xffff; ++code) {
    const Instruction i{static_cast<std::uint16_t>(code), 0, 0, 1};
    const Result<ValidatedProgram> program =
        validate({{make(kSt, 1), i, kReturn, kReturn}}, Dialect::kLinux);
    if (program) {
      taken.push_back(i.code);
    } else {
      EXPECT_EQ(program.error().message, rule_sentence(Rule::kUnknownOpcode)) << code;
      EXPECT_EQ(program.error().place.instruction, 1U);
    }
  }
  EXPECT_EQ(taken, known);
}

TEST(Validate, JumpPastEnd) {
  expect_valid({make(kJmp | kJa, 1), kReturn, kReturn});
  expect_breach(Rule::kJumpPastEnd, 0, {make(kJmp | kJa, 2), kReturn, kReturn});
  expect_breach(Rule::kJumpPastEnd, 0, {make(kJmp | kJa, 0x7fffffff), kReturn, kReturn});
  expect_valid({make(kJmp | kJeq | kK, 0, 1, 1), kReturn, kReturn});
  expect_breach(Rule::kJumpPastEnd, 0, {make(kJmp | kJeq | kK, 0, 2, 0), kReturn, kReturn});
  expect_breach(Rule::kJumpPastEnd, 0, {make(kJmp | kJset | kX, 0, 0, 2), kReturn, kReturn});
  // Before the first instruction, in both dialects.
  expect_breach(Rule::kJumpPastEnd, 1, {make(kLd | kImm), make(kJmp | kJa, back(3)), kReturn});
  expect_breach(Rule::kJumpPastEnd, 1, {make(kLd | kImm), make(kJmp | kJa, back(3)), kReturn},
                Dialect::kLinux);
  expect_breach(Rule::kJumpPastEnd, 0, {make(kJmp | kJa, 0x80000000), kReturn});
}

TEST(Validate, BackwardJump) {
  const std::vector<Instruction> code = {make(kLd | kImm), make(kJmp | kJa, back(2)), kReturn};
  expect_breach(Rule::kBackwardJump, 1, code, Dialect::kLinux);
  const Result<ValidatedProgram> program = validate({code});
  ASSERT_TRUE(program.has_value());
  EXPECT_TRUE(program->has_loop());
}

TEST(Validate, SelfJump) {
  expect_breach(Rule::kSelfJump, 0, {make(kJmp | kJa, back(1)), kReturn});
}

TEST(Validate, CrossingLoops) {
  const Instruction nothing = make(kLd | kImm);
  // One behind the other; two jumps to one head.
  expect_valid({nothing, make(kJmp | kJa, back(2)), nothing, make(kJmp | kJa, back(2)), kReturn});
  expect_valid({nothing, make(kJmp | kJa, back(2)), nothing, make(kJmp | kJa, back(4)), kReturn});
  // Nested, crossing, and ending where the next one begins.
  expect_breach(Rule::kCrossingLoops, 3,
                {nothing, nothing, make(kJmp | kJa, back(2)), make(kJmp | kJa, back(4)), kReturn});
  expect_breach(Rule::kCrossingLoops, 3,
                {nothing, nothing, make(kJmp | kJa, back(3)), make(kJmp | kJa, back(3)), kReturn});
  expect_breach(Rule::kCrossingLoops, 2,
                {nothing, make(kJmp | kJa, back(2)), make(kJmp | kJa, back(2)), kReturn});
  // Around a loop from the head before it.
  expect_breach(Rule::kCrossingLoops, 5,
                {nothing, make(kJmp | kJa, back(2)), nothing, nothing, make(kJmp | kJa, back(3)),
                 make(kJmp | kJa, back(6)), kReturn});
}

TEST(Validate, DivisionByZero) {
  expect_breach(Rule::kDivisionByZero, 0, {make(kAlu | kDiv | kK, 0), kReturn});
  expect_breach(Rule::kDivisionByZero, 0, {make(kAlu | kMod | kK, 0), kReturn});
  expect_valid({make(kAlu | kDiv | kK, 1), make(kAlu | kDiv | kX, 0), make(kAlu | kMod | kX, 0),
                make(kAlu | kMul | kK, 0), kReturn});
}

TEST(Validate, ShiftTooLarge) {
  expect_breach(Rule::kShiftTooLarge, 0, {make(kAlu | kLsh | kK, 32), kReturn});
  expect_breach(Rule::kShiftTooLarge, 0, {make(kAlu | kRsh | kK, 0xffffffff), kReturn});
  expect_valid({make(kAlu | kLsh | kK, 31), make(kAlu | kRsh | kX, 32), kReturn});
}

TEST(Validate, ScratchIndex) {
  expect_valid({make(kSt, 15), make(kLd | kMem, 15), kReturn});
  expect_breach(Rule::kScratchIndex, 0, {make(kSt, 16), kReturn});
  expect_breach(Rule::kScratchIndex, 0, {make(kStx, 16), kReturn});
  expect_breach(Rule::kScratchIndex, 1, {make(kSt, 0), make(kLd | kMem, 16), kReturn});
  expect_breach(Rule::kScratchIndex, 1, {make(kSt, 0), make(kLdx | kMem, 0xffffffff), kReturn});
}

TEST(Validate, ScratchUninitialized) {
  expect_breach(Rule::kScratchUninitialized, 0, {make(kLd | kMem, 0), kReturn});
  expect_breach(Rule::kScratchUninitialized, 1, {make(kSt, 1), make(kLdx | kMem, 0), kReturn});
  // Written on one branch of two, then on both.
  expect_breach(Rule::kScratchUninitialized, 2,
                {make(kJmp | kJeq | kK, 0, 0, 1), make(kSt, 3), make(kLd | kMem, 3), kReturn});
  expect_valid({make(kJmp | kJeq | kK, 0, 0, 2), make(kSt, 3), make(kJmp | kJa, 1), make(kStx, 3),
                make(kLd | kMem, 3), kReturn});
}

TEST(Validate, ScratchIsInitializedWhereAPathReadsIt) {
  // M[3] is written on one branch of two, M[5] on none, M[1] before it is read.
  Program program = {{make(kJmp | kJeq | kK, 0, 0, 1), make(kSt, 3), make(kLd | kMem, 3),
                      make(kSt, 1), make(kLdx | kMem, 1), make(kLdx | kMem, 5), kReturn}};
  const std::vector<Instruction> code = program.instructions;
  EXPECT_EQ(uninitialized_scratch(program), 1U << 3 | 1U << 5);
  EXPECT_EQ(initialize_scratch(program), 2U);
  expect_valid(program.instructions, Dialect::kLinux);
  ASSERT_EQ(program.instructions.size(), code.size() + 2);
  EXPECT_EQ(program.instructions[0], make(kSt, 3));
  EXPECT_EQ(program.instructions[1], make(kSt, 5));
  EXPECT_TRUE(std::equal(code.begin(), code.end(), program.instructions.begin() + 2));
  EXPECT_EQ(initialize_scratch(program), 0U);
  // What breaks another rule stays as it is.
  Program endless = {{make(kLd | kMem, 0)}};
  EXPECT_EQ(initialize_scratch(endless), 0U);
}

TEST(Validate, ScratchInLoops) {
  // Written before the loop; written at its head.
  expect_valid({make(kSt, 0), make(kLd | kMem, 0), make(kJmp | kJa, back(2)), kReturn});
  expect_valid({make(kSt, 0), make(kLd | kMem, 0), make(kJmp | kJa, back(3)), kReturn});
  // A jump into the middle of the loop goes round to its head without the word.
  expect_breach(Rule::kScratchUninitialized, 2,
                {make(kJmp | kJeq | kK, 0, 0, 2), make(kSt, 0), make(kLd | kMem, 0),
                 make(kJmp | kJa, back(2)), kReturn});
  expect_valid({make(kJmp | kJeq | kK, 0, 0, 2), make(kSt, 0), make(kLd | kLen),
                make(kJmp | kJa, back(2)), kReturn});
  // The same through the second of two jumps to one head, where the first was harmless.
  expect_breach(Rule::kScratchUninitialized, 2,
                {make(kJmp | kJeq | kK, 0, 0, 3), make(kSt, 0), make(kLd | kMem, 0),
                 make(kJmp | kJa, back(2)), make(kJmp | kJa, back(3)), kReturn});
}

TEST(Validate, UnknownExtension) {
  for (const Dialect dialect : {Dialect::kLinux, Dialect::kLibpcap}) {
    for (std::uint32_t n = 0; n < 0x1000; ++n) {
      const std::vector<Instruction> code = {make(kLd | kAbs | kB, kAncillaryOffset + n), kReturn};
      if (n % 4 == 0 && n <= 60) {
        expect_valid(code, dialect);
      } else {
        expect_breach(Rule::kUnknownExtension, 0, code, dialect);
      }
    }
  }
  // Only absolute loads of A name extensions.
  expect_valid({make(kLd | kAbs | kB, kAncillaryOffset - 1),
                make(kLd | kInd | kB, kAncillaryOffset + 1),
                make(kLdx | kMsh | kB, kAncillaryOffset + 1), kReturn});
}

TEST(Validate, LastNotReturn) {
  expect_breach(Rule::kLastNotReturn, 1, {kReturn, make(kLd | kImm)});
  expect_valid({make(kRet | kA)});
}

TEST(Validate, TellsWhichExtensionsAreRead) {
  const Result<ValidatedProgram> program = validate(
      {{make(kLd | kAbs | kW, kAncillaryOffset + 20), make(kLd | kAbs | kH, kAncillaryOffset + 60),
        make(kLd | kAbs | kB, kAncillaryOffset + 40), make(kLd | kImm, kAncillaryOffset),
        kReturn}});
  ASSERT_TRUE(program.has_value());
  EXPECT_EQ(program->extensions(),
            Ancillary::bit(Extension::kMark) | Ancillary::bit(Extension::kVlanTpid));
  EXPECT_FALSE(program->has_loop());
}

TEST(Extensions, HaveTheNamesOfTheKernelsDocument) {
  EXPECT_EQ(extension_name(Extension::kProtocol), "proto");
  EXPECT_EQ(extension_name(Extension::kIfIndex), "ifidx");
  EXPECT_EQ(extension_name(Extension::kPayOffset), "poff");
  EXPECT_EQ(extension_name(Extension::kRandom), "rand");
  EXPECT_EQ(extension_at(kAncillaryOffset), Extension::kProtocol);
  EXPECT_EQ(extension_at(kAncillaryOffset + 60), Extension::kVlanTpid);
  EXPECT_EQ(extension_at(kAncillaryOffset + 64), std::nullopt);
  EXPECT_EQ(extension_at(kAncillaryOffset + 2), std::nullopt);
  EXPECT_EQ(extension_at(0), std::nullopt);
}

}  // namespace
}  // namespace weir::cbpf
