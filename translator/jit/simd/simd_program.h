// A packet form as a computation on eight packets at once: no jumps, a mask of packets instead.
//
// Every operation is done for all packets of a group; which of them are on the way to it is a mask,
// and a packet's verdict is that of the end at whose mask it is. So nothing depends on what the
// branch predictor has learnt, and what one packet waits for is shared by eight. The idea is that
// of compilers for processors of graphics ("single program, multiple data").
//
// A lane holds 32 bits of one packet: a number, a mask (all ones or 0), or how far behind the
// packet's start a pointer points. Price of making it: O(n^2) in the values, of which there are
// few.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "translator/userspace/packet_program.h"

namespace weir::jit {

inline constexpr std::size_t kLanes = 8;

// A value, by its place in SimdProgram::values.
using SimdId = std::uint32_t;

enum class SimdOp : std::uint8_t {
  kConst,     // imm.
  kCaptured,  // The captured bytes; 0x7fffffff where there are more.
  kLength,    // The wire length.
  kShared,    // 4 bytes of the context of all packets at imm.
  kField,     // `width` bytes at the constant offset imm, as the processor's order reads them.
  kGather,    // The same at a + imm where the mask b holds; anything elsewhere.
  kPart,      // `width` of the four bytes gathered by a, from the byte imm of them.
  kPick,      // The field a as a number; swapped: its first byte is the highest.
  kIs,        // Mask: (the field a & mask) == imm.
  kAnd,       // a op b.
  kAndNot,    // Not a, and b.
  kOr,
  kXor,
  kAdd,
  kSub,
  kMul,
  kMin,      // Without sign.
  kMax,      // Without sign.
  kEqual,    // Mask.
  kGreater,  // Mask; with sign.
  kShl,      // a op imm, which is less than 32.
  kShr,
  kSar,
  kSwap,    // The lowest `width` bytes in opposite order, the others 0.
  kChoose,  // b where the mask a holds, else c.
};

struct SimdValue {
  SimdOp op = SimdOp::kConst;
  std::uint8_t width = 0;
  bool swapped = false;
  bool rare = false;  // kGather: of packets that end before what most of them have.
  SimdId a = 0;
  SimdId b = 0;
  SimdId c = 0;
  std::uint32_t imm = 0;
  std::uint32_t mask = 0;
  bool operator==(const SimdValue&) const = default;
};

// How many operands (a, b, c) the operation has.
int operand_count(SimdOp op);

// Where a field at a constant offset is found: sixteen bytes are read at once.
struct SimdLoad {
  std::int32_t start = 0;
  std::uint8_t dwords = 0;  // Those of the four (bit n) in which there is a field.
};

struct SimdProgram {
  std::vector<SimdValue> values;  // Operands stand before what uses them.
  std::vector<bool> needed;       // By value: whether the verdict depends on it.
  SimdId verdict = 0;
  std::vector<SimdLoad> windows;
  // Bytes behind a packet's start that are read whether they were captured or not; what was not is
  // not used. They have to be there all the same.
  std::int32_t reach = 0;

  // The window that has the field, and the offset of the field in it. A field does not cross a
  // dword of its window.
  struct Place {
    std::size_t window = 0;
    std::int32_t offset = 0;
  };
  Place place_of(const SimdValue& field) const;
};

// Chooses the windows for the fields that are needed, and with them the reach.
void place_windows(SimdProgram& form);

// Nothing when the form has something that does not fit into lanes (calls, stores, numbers that
// may take more than 32 bits, data other than the packet's), or more than pays.
std::optional<SimdProgram> simd_program(const ebpf::PacketProgram& form,
                                        std::span<const ebpf::Instruction> instructions);

}  // namespace weir::jit
