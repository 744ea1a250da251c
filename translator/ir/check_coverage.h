// Whether every load stands behind needs, and every division behind guards.
#pragma once

#include <optional>
#include <string_view>

#include "translator/ir/function.h"

namespace weir::ir {

struct Uncovered {
  BlockId block = 0;
  ValueId value = kNoValue;
  std::string_view reason;
};

// The first load or division that some way reaches uncovered; the rules and the price are those of
// check(), whose other rules the function must keep.
std::optional<Uncovered> find_uncovered(const Function& function);

}  // namespace weir::ir
