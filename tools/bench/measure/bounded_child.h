// Work that may take for ever, with an end.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "cbpf/base/result.h"

namespace weir::bench {

// Runs `work` in a child process and gives what it returned. The child is ended when it has used
// `seconds` of CPU time, and with this process. What it changes in memory is not seen here.
//
// kUnsupported when it was ended for its time; kSystem when it ended of itself without an answer,
// as by a crash, and when there can be no child.
Result<std::vector<std::uint8_t>> run_bounded(
    std::uint32_t seconds, const std::function<std::vector<std::uint8_t>()>& work);

}  // namespace weir::bench
