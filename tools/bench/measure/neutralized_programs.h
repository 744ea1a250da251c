// Filters of which nothing comes: copies that cost what the original costs and return one number
// whatever they find, so that they can be run on live packets without an effect.
#pragma once

#include <cstdint>

#include "cbpf/program.h"
#include "translator/ebpf/program.h"

namespace weir::bench {

// Every return gives 0.
cbpf::Program returning_nothing(cbpf::Program program);

// Every exit returns `value`, and stays where it is: how far apart the code of a short way lies is
// part of what it costs. One move of a constant stands before each, as it mostly did.
ebpf::Program returning_always(ebpf::Program program, std::int32_t value);

// The program that returns `value` and does nothing else.
ebpf::Program empty_program(std::int32_t value);

}  // namespace weir::bench
