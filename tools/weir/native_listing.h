// Machine code of this processor as text.
#pragma once

#include <string>

#include "cbpf/base/bytes.h"

namespace weir::tool {

// A line an instruction: its offset from the first byte in hexadecimal, and what Capstone reads
// there (Intel's order of operands on x86). A byte that is no instruction stands as `.byte`; on a
// processor Capstone is not asked for, every one does.
std::string native_listing(Bytes code);

}  // namespace weir::tool
