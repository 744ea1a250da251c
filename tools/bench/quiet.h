// Filters of which nothing comes: copies that cost what the original costs and return one number
// whatever they find, so that they can be run on live packets without an effect.
#pragma once

#include <cstdint>

#include "cbpf/program.h"
#include "translator/ebpf/program.h"

namespace weir::bench {

// Every return gives 0.
cbpf::Program returning_nothing(cbpf::Program program);

// Every exit becomes a jump to one that returns `value`.
ebpf::Program returning_always(ebpf::Program program, std::int32_t value);

// The program that returns `value` and does nothing else.
ebpf::Program empty_program(std::int32_t value);

}  // namespace weir::bench
