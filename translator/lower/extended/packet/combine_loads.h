// Loads that are cheaper together.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "translator/ir/function.h"

namespace weir::lower {

// Bytes of the packet that are read at once; the loads in it are then shifts and masks of them.
struct LoadWindow {
  std::uint32_t offset = 0;
  std::uint8_t width = 0;  // 4 or 8.
  std::uint64_t end() const { return std::uint64_t{offset} + width; }
};

// By base and offset of the first load in it.
using LoadKey = std::pair<ir::ValueId, std::uint32_t>;

// Windows for targets on which a load costs more than three operations on registers: for a load and
// those behind it that lie, with it, within eight bytes that are known to be there when it is made.
// By the base and offset of each load; a load of the same bytes on another way may have to do
// without, if the window's bytes are not known to be there. `needed` (by ValueId) tells which loads
// are made at all. O(loads * loads of the same base).
std::map<LoadKey, LoadWindow> plan_combined_loads(const ir::Function& function,
                                                  const std::vector<bool>& needed);

}  // namespace weir::lower
