// What the lowering to the machine of 1993 can be told.
#pragma once

#include <cstdint>

#include "cbpf/program.h"

namespace weir::lower {

struct ClassicOptions {
  // Whose machine runs the program; a function that was built for the other one is lowered where
  // both mean the same.
  cbpf::Dialect dialect = cbpf::Dialect::kLibpcap;
  // Code that differs in the offsets of its loads is written once if it is so long at least; the
  // kernel takes longer for such loads.
  std::uint32_t shortest_shared = 24;
};

}  // namespace weir::lower
