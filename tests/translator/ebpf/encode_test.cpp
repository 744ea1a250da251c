#include "translator/ebpf/encode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tests/translator/ebpf/rfc9669_table.h"
#include "translator/ebpf/disassemble.h"

namespace weir::ebpf {
namespace {

using rfc9669::kAny;
using rfc9669::Row;

std::uint8_t regs(std::int64_t dst, std::int64_t src) {
  return static_cast<std::uint8_t>(dst | src << 4);
}

// The slots of a row with its sample values wherever anything may be.
std::vector<Slot> sample(const Row& row) {
  const auto pick = [](std::int64_t field, std::int64_t any) {
    return field == kAny ? any : field;
  };
  std::vector<Slot> slots = {
      {.opcode = row.opcode,
       .regs = regs(pick(row.dst, static_cast<int>(rfc9669::kDst)),
                    pick(row.src, static_cast<int>(rfc9669::kSrc))),
       .offset = static_cast<std::int16_t>(pick(row.offset, rfc9669::kOffset)),
       .imm = static_cast<std::int32_t>(pick(row.imm, rfc9669::kImm))}};
  if (const auto* load = std::get_if<LoadImm64>(&row.meaning)) {
    slots.push_back({.imm = load->value == rfc9669::kImm64 ? rfc9669::kNextImm : 0});
  }
  return slots;
}

bool allows(const Row& row, const Slot& slot) {
  const auto fits = [](std::int64_t field, std::int64_t value) {
    return field == kAny || field == value;
  };
  return row.opcode == slot.opcode && fits(row.dst, slot.regs & 15) &&
         fits(row.src, slot.regs >> 4) && fits(row.offset, slot.offset) && fits(row.imm, slot.imm);
}

// Whether the standard has this slot at all, by its table and the eleven registers there are.
bool defined(const Slot& slot) {
  if ((slot.regs & 15) > 10 || (slot.regs >> 4) > 10) {
    return false;
  }
  return std::any_of(std::begin(rfc9669::kTable), std::end(rfc9669::kTable),
                     [&](const Row& row) { return allows(row, slot); });
}

TEST(Encode, EveryRowOfTheStandardMeansWhatItSaysBothWays) {
  for (const Row& row : rfc9669::kTable) {
    const std::vector<Slot> slots = sample(row);
    const auto decoded = decode(slots);
    ASSERT_TRUE(decoded.has_value()) << to_hex(slots[0]) << ": " << to_string(decoded.error());
    ASSERT_EQ(decoded->size(), 1U);
    EXPECT_EQ((*decoded)[0], row.meaning) << to_hex(slots[0]) << ": " << to_string((*decoded)[0])
                                          << " for " << to_string(row.meaning);
    EXPECT_EQ(encode(std::array{row.meaning}), slots) << to_string(row.meaning);
  }
}

// Every opcode with every pair of registers and the values of offset and immediate that matter to
// any of them: what the table has decodes and comes back bit for bit, all else is refused.
TEST(Encode, DecodesWhatTheTableHasAndNothingElse) {
  std::size_t accepted = 0;
  for (int opcode = 0; opcode < 256; ++opcode) {
    for (const int dst : {0, 10, 11}) {
      for (const int src : {0, 1, 2, 3, 4, 5, 6, 7, 10, 11}) {
        for (const int offset : {0, 1, 2, 8, 16, 32, -32768}) {
          for (const std::int32_t imm : {0, 1, 2, 8, 16, 32, 64, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1,
                                         0xe0, 0xe1, 0xf0, 0xf1, 0x100, -1}) {
            const Slot slot{static_cast<std::uint8_t>(opcode), regs(dst, src),
                            static_cast<std::int16_t>(offset), imm};
            std::vector<Slot> slots = {slot};
            if (opcode == 0x18) {
              slots.push_back({});
            }
            const auto decoded = decode(slots);
            ASSERT_EQ(decoded.has_value(), defined(slot)) << to_hex(slot);
            if (decoded) {
              ++accepted;
              ASSERT_EQ(encode(*decoded), slots) << to_hex(slot);
            } else {
              ASSERT_EQ(decoded.error().code, ErrorCode::kInvalidProgram);
              ASSERT_EQ(decoded.error().place.instruction, 0U);
            }
          }
        }
      }
    }
  }
  EXPECT_GT(accepted, 10000U);
}

TEST(Encode, RefusalsNameTheSlotAndTheReason) {
  const Slot exit{.opcode = 0x95};
  const Slot wide{.opcode = 0x18, .regs = 1};
  struct Case {
    std::vector<Slot> slots;
    std::string message;
  };
  const Case cases[] = {
      {{exit, {.opcode = 0x8d}}, "instruction 1: unknown opcode 0x8d"},
      {{exit, exit, {}}, "instruction 2: unknown opcode 0x00"},
      {{{.opcode = 0x99, .regs = 0x11}}, "instruction 0: unknown opcode 0x99"},
      {{wide, {}, {.opcode = 0xb7, .regs = 11}}, "instruction 2: no register r11"},
      {{{.opcode = 0xbf, .regs = 0xc1}}, "instruction 0: no register r12"},
      {{exit, wide}, "instruction 1: a 64-bit immediate lacks its second slot"},
      {{wide, exit}, "instruction 0: a 64-bit immediate lacks its second slot"},
      {{{.opcode = 0x18, .regs = 0x71}, {}},
       "instruction 0: no kind of 64-bit immediate has number 7"},
      {{{.opcode = 0x18, .regs = 0x11}, {.imm = 1}},
       "instruction 0: the second immediate of this kind of 64-bit immediate must be 0"},
      {{{.opcode = 0x95, .imm = 1}}, "instruction 0: the immediate of opcode 0x95 must be 0"},
      {{{.opcode = 0x95, .offset = 1}}, "instruction 0: the offset of opcode 0x95 must be 0"},
      {{{.opcode = 0x95, .regs = 0x10}},
       "instruction 0: the source register of opcode 0x95 must be 0"},
      {{{.opcode = 0x95, .regs = 0x01}},
       "instruction 0: the destination register of opcode 0x95 must be 0"},
      {{{.opcode = 0x07, .offset = 1}}, "instruction 0: opcode 0x07 has no offset 1"},
      {{{.opcode = 0xdc, .imm = 8}}, "instruction 0: a byte swap is of 16, 32 or 64 bits, not 8"},
      {{{.opcode = 0xdb, .imm = 0xe0}}, "instruction 0: unknown atomic operation 0xe0"},
      {{{.opcode = 0x85, .regs = 0x30}}, "instruction 0: no kind of call has number 3"},
  };
  for (const Case& one : cases) {
    const auto decoded = decode(one.slots);
    ASSERT_FALSE(decoded.has_value()) << one.message;
    EXPECT_EQ(decoded.error().code, ErrorCode::kInvalidProgram);
    EXPECT_EQ(to_string(decoded.error()), one.message);
  }
}

TEST(Encode, WhatHasNoOpcodeOfItsOwnGetsOneThatMeansTheSame) {
  const Instruction forms[] = {
      Jump{.op = JumpOp::kJa, .is64 = true, .offset = 40000},
      Alu{.op = AluOp::kMovSx32, .is64 = false, .dst = Reg::kR1, .src = Reg::kR2},
      Alu{.op = AluOp::kMovSx8, .is64 = true, .dst = Reg::kR1, .src = 0x1ff},
      Load{.width = Width::kDw, .sign_extend = true, .dst = Reg::kR1, .src = Reg::kR2},
      Atomic{.op = AtomicOp::kExchange, .fetch = false, .dst = Reg::kR1, .src = Reg::kR2}};
  const auto back = decode(encode(forms));
  ASSERT_TRUE(back.has_value()) << to_string(back.error());
  EXPECT_EQ(to_string((*back)[0]), "gotol pc+40000");
  EXPECT_EQ(to_string((*back)[1]), "w1 = w2");
  EXPECT_EQ(to_string((*back)[2]), "r1 = -1");
  EXPECT_EQ(to_string((*back)[3]), "r1 = *(u64 *)(r2 + 0)");
  EXPECT_EQ(to_string((*back)[4]), "r2 = atomic64_xchg((u64 *)(r1 + 0), r2)");
}

}  // namespace
}  // namespace weir::ebpf
