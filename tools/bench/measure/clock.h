// The clock of the benchmarks.
#pragma once

#include <cstdint>

namespace weir::bench {

// CPU time this thread has used, user and system, in nanoseconds.
std::uint64_t thread_cpu_ns();

// Keeps this thread on the processor it runs on now; false when the system refuses.
bool pin_to_current_cpu();

}  // namespace weir::bench
