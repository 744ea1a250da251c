// The values of a function as the classic back end sees them: equal expressions are one value,
// what each costs to compute, and which get a word of scratch memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "translator/ir/function.h"

namespace weir::lower::classic {

inline constexpr std::uint8_t kNoSlot = 0xff;
inline constexpr std::uint32_t kMaxCost = 1000;

// Makes equal expressions one value: every operand then names the first of its equals, wherever
// that stands. As values are pure and this back end computes them where they are used, where they
// stood does not matter; needs and guards stay in their places. Loads from a constant base become
// loads without one. O(values).
void make_canonical(ir::Function& function);

// If the value is 4 * (byte & 15), the offset of the byte: what `ldx 4*([k]&0xf)` gives.
std::optional<std::uint32_t> header_length_offset(const ir::Function& function, ir::ValueId id);

// How many instructions it takes to compute each value into A from nothing; at most kMaxCost.
std::vector<std::uint32_t> costs(const ir::Function& function);

struct Slots {
  // By value: its word of scratch memory, or kNoSlot.
  std::vector<std::uint8_t> of;
  // By block: the words that values have there, as a mask.
  std::vector<std::uint16_t> taken;
};

// Gives each block parameter a word and, if `share`, also the values that are used often and cost
// much, as far as words go. Words are shared between values that are not alive in one block.
// Nothing when the parameters alone need more than 16.
std::optional<Slots> assign_slots(const ir::Function& function, bool share);

}  // namespace weir::lower::classic
