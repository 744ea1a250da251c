// Drops bounds checks that later ones imply, for the machine of 1993.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower::classic {

// Drops each bounds check that is followed, on every path to an accepting return, by one of as many
// bytes or more from the same base. Sound there and nowhere else: a packet that is accepted passes
// the later check, and a load in between that goes past the packet's end ends the filter by itself
// on the classic machine, as the check would have. True when it dropped any.
//
// Linear for checks from the packet's start; for others, the blocks between the two checks.
bool drop_implied_checks(ir::Function& function);

}  // namespace weir::lower::classic
