// The numbers of values in the text form, for the printer and for messages about what it prints.
#pragma once

#include <cstdint>
#include <vector>

#include "translator/ir/function.h"

namespace weir::ir {

// By ValueId: the n of vn, in order of appearance in the text (a value that is used before it is
// defined, or defined nowhere, appears where it is used); kNoValue for what does not appear.
// Works on wrong functions too.
std::vector<std::uint32_t> number_values(const Function& function);

}  // namespace weir::ir
