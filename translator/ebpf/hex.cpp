// Slots as hexadecimal text: 16 digits, the 8 bytes of a slot as a little-endian machine keeps
// them.
#include <fmt/format.h>

#include <array>
#include <cctype>

#include "cbpf/base/bytes.h"
#include "translator/ebpf/encode.h"

namespace weir::ebpf {
namespace {

Slot slot_of_bytes(const std::array<std::uint8_t, 8>& bytes) {
  const std::uint32_t imm = static_cast<std::uint32_t>(bytes[7]) << 24 |
                            static_cast<std::uint32_t>(bytes[6]) << 16 |
                            static_cast<std::uint32_t>(bytes[5]) << 8 | bytes[4];
  const auto offset = static_cast<std::uint16_t>(bytes[3] << 8 | bytes[2]);
  return {.opcode = bytes[0],
          .regs = bytes[1],
          .offset = static_cast<std::int16_t>(offset),
          .imm = static_cast<std::int32_t>(imm)};
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string to_hex(Slot slot) {
  const auto offset = static_cast<std::uint16_t>(slot.offset);
  const auto imm = static_cast<std::uint32_t>(slot.imm);
  const std::array<std::uint8_t, 8> bytes = {slot.opcode,
                                             slot.regs,
                                             static_cast<std::uint8_t>(offset),
                                             static_cast<std::uint8_t>(offset >> 8),
                                             static_cast<std::uint8_t>(imm),
                                             static_cast<std::uint8_t>(imm >> 8),
                                             static_cast<std::uint8_t>(imm >> 16),
                                             static_cast<std::uint8_t>(imm >> 24)};
  return weir::to_hex(bytes);
}

Result<std::vector<Slot>> slots_from_hex(std::string_view text) {
  std::vector<Slot> slots;
  std::array<std::uint8_t, 8> bytes{};
  std::size_t digits = 0;  // Of the slot being read.
  Place here{.line = 1, .column = 1};
  Place begin;  // Where that slot began.
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      const int value = digit_value(c);
      if (value < 0) {
        return fail(ErrorCode::kSyntax, "not a hexadecimal digit", here);
      }
      if (digits == 0) {
        begin = here;
      }
      bytes[digits / 2] = static_cast<std::uint8_t>(bytes[digits / 2] << 4 | value);
      if (++digits == 16) {
        slots.push_back(slot_of_bytes(bytes));
        digits = 0;
      }
    }
    ++here.column;
    if (c == '\n') {
      here = {.line = here.line + 1, .column = 1};
    }
  }
  if (digits != 0) {
    return fail(ErrorCode::kSyntax,
                fmt::format("an instruction has 16 hexadecimal digits, this one {}", digits),
                begin);
  }
  return slots;
}

}  // namespace weir::ebpf
