// Meaning to wire and back, for the whole of RFC 9669.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/ebpf/instruction.h"

namespace weir::ebpf {

// One wire slot, section 3: opcode, dst (low nibble) and src (high), offset, imm. In host order;
// the byte order of a program on the wire is that of the machine that runs it.
struct Slot {
  std::uint8_t opcode = 0;
  std::uint8_t regs = 0;
  std::int16_t offset = 0;
  std::int32_t imm = 0;
  friend bool operator==(const Slot&, const Slot&) = default;
};
static_assert(sizeof(Slot) == 8);

// Never fails: every Instruction has a wire form. A kJa beyond 16 bits becomes `gotol`.
std::vector<Slot> encode(std::span<const Instruction> instructions);

// kInvalidProgram with the slot's index as the place when an opcode is unknown or reserved, a field
// that must be 0 is not, a register is above 10, or a 64-bit immediate has no second slot.
Result<std::vector<Instruction>> decode(std::span<const Slot> slots);

// A slot as the 16 hexadecimal digits of its 8 bytes, little-endian: "b700000001000000".
std::string to_hex(Slot slot);

// The slots of a text of such digits; white space is ignored. kSyntax when it is not a multiple of
// 16 digits or has other characters (line and column say where).
Result<std::vector<Slot>> slots_from_hex(std::string_view text);

}  // namespace weir::ebpf
