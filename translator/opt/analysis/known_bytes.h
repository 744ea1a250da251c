// Which bytes are known to be captured, block by block.
#pragma once

#include <vector>

#include "translator/ir/function.h"
#include "translator/opt/analysis/checked_bytes.h"

namespace weir::lower {

// What is known on every way to the beginning of each block. The blocks must all be reachable.
// O(values + edges).
std::vector<opt::CheckedBytes> known_at_beginnings(const ir::Function& function);

}  // namespace weir::lower
