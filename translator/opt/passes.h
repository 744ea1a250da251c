// The passes, one function each; the file of the same name tells how it works. pass.h runs them.
#pragma once

#include "translator/ir/function.h"

namespace weir::opt {

// Drops what changes nothing: blocks no way leads to, values and parameters nothing uses. Effects
// stay.
void dead_code(ir::Function& function);

// Computes what constants decide: arithmetic, guards, branches, and parameters that get the same
// value on every way that is left.
void fold_constants(ir::Function& function);

}  // namespace weir::opt
