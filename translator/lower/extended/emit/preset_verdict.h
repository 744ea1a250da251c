// The verdict that is in r0 from the beginning.
//
// A program with two verdicts ends with `r0 = 1; exit; r0 = 2; exit`. If nothing else wants r0, it
// can hold one of them from the start: `r0 = 2; exit` then is all there is at the end, and who
// wants the other verdict jumps to the exit itself.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "translator/lower/extended/machine.h"
#include "translator/lower/extended/regalloc/allocate.h"

namespace weir::lower {

struct PresetVerdict {
  std::int32_t value = 0;
  machine::BlockId top = machine::kNone;   // r0 is set at its beginning.
  machine::BlockId exit = machine::kNone;  // The block that returns `value`.
};

// The verdicts that can be there early, that which most ways lead to first; none if the program has
// only one, or r0 is not free. `order` is how the blocks are laid out. O(n).
std::vector<PresetVerdict> find_preset_verdicts(const machine::Function& function,
                                                const Allocation& allocation,
                                                std::span<const machine::BlockId> order);

}  // namespace weir::lower
