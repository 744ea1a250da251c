// Masks of masks.
#pragma once

#include "translator/lower/extended/machine.h"

namespace weir::lower {

// Makes one of two `and`s with constants of which the second takes the first one's result, as a
// mask of a byte that was cut out of a word is. What nothing reads any more stays, for remove_dead.
// O(n).
void fold_masks(machine::Function& function);

}  // namespace weir::lower
