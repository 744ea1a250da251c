// Needs that later ones answer for.
#pragma once

#include "translator/ir/function.h"

namespace weir::lower::classic {

// Drops each need that on every way from it to an accepting return is followed by one of as many
// bytes or more from the same place. Whoever accepts has passed the later one; and a load in
// between that goes past the packet's end ends the filter by itself on the machine of 1993, as the
// need would have. So without them the function means the same there, and nowhere else. True when
// it dropped any.
//
// Linear for needs from the packet's beginning; for others, the blocks between them and those that
// answer.
bool drop_implied_checks(ir::Function& function);

}  // namespace weir::lower::classic
