// What is said where memory runs out.
#pragma once

#include "cbpf/base/result.h"

namespace weir::filter {

inline tl::unexpected<Error> out_of_memory() {
  return fail(ErrorCode::kSystem,
              "out of memory: this takes more than the machine or its limits (ulimit -v) allow");
}

}  // namespace weir::filter
