// Instruction selection: IR to the machine form.
#pragma once

#include <optional>

#include "cbpf/base/result.h"
#include "translator/ir/function.h"
#include "translator/lower/machine.h"
#include "translator/lower/target.h"
#include "translator/lower/to_extended.h"

namespace weir::lower {

// Chooses machine instructions for the whole function. Only blocks that something leads to are
// there in the result, and every block leads to a return. kUnsupported, naming both, when the
// function reads an extension that the target does not answer. O(n log n).
Result<machine::Function> select(const ir::Function& function, const Target& target,
                                 const std::optional<Rule>& rule);

}  // namespace weir::lower
