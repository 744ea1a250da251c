#include <gtest/gtest.h>

#include "translator/ebpf/encode.h"

namespace weir::ebpf {
namespace {

TEST(Hex, WritesTheBytesOfALittleEndianMachine) {
  EXPECT_EQ(to_hex(Slot{.opcode = 0xb7, .regs = 0, .offset = 0, .imm = 1}), "b700000001000000");
  EXPECT_EQ(to_hex(Slot{.opcode = 0x69, .regs = 0x12, .offset = -2, .imm = -3}),
            "6912fefffdffffff");
}

TEST(Hex, ReadsWhatItWrites) {
  const auto slots = slots_from_hex("b7 00 0000 0100 0000\n6912fefF FDffffff\n");
  ASSERT_TRUE(slots.has_value());
  ASSERT_EQ(slots->size(), 2U);
  EXPECT_EQ((*slots)[0], (Slot{.opcode = 0xb7, .regs = 0, .offset = 0, .imm = 1}));
  EXPECT_EQ((*slots)[1], (Slot{.opcode = 0x69, .regs = 0x12, .offset = -2, .imm = -3}));
  EXPECT_TRUE(slots_from_hex("")->empty());
}

TEST(Hex, SaysWhereTheTextIsWrong) {
  const auto letter = slots_from_hex("b700000001000000\n  95x");
  ASSERT_FALSE(letter.has_value());
  EXPECT_EQ(letter.error().code, ErrorCode::kSyntax);
  EXPECT_EQ(to_string(letter.error()), "2:5: not a hexadecimal digit");

  const auto cut = slots_from_hex("b700000001000000\n 9500");
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(to_string(cut.error()), "2:2: an instruction has 16 hexadecimal digits, this one 4");
}

}  // namespace
}  // namespace weir::ebpf
