// Which needs and guards no instruction answers for.
#pragma once

#include <vector>

#include "translator/lower/classic/code.h"

namespace weir::lower::classic {

// Marks in `explicit_effects` (by value) every need that is not followed, on each way that could
// accept, by a load that reaches as far, and every guard not followed by a division by the same
// value: without an instruction of its own the program would accept what the function rejects.
// Where the filter ends with 0 all the same, nothing has to be asked. True when it marked any.
//
// Linear for needs from the packet's beginning; for others, the blocks between them and the loads
// that answer.
bool mark_uncovered(const Code& code, std::vector<bool>& explicit_effects);

}  // namespace weir::lower::classic
