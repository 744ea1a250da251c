// Allocated machine form to extended instructions.
#pragma once

#include "translator/ebpf/program.h"
#include "translator/lower/allocate.h"
#include "translator/lower/machine.h"

namespace weir::lower {

// Writes the function out: three-address instructions become two-address ones, arguments on edges
// become moves, blocks become places to jump to. O(n).
ebpf::Program emit(const machine::Function& function, const Allocation& allocation);

}  // namespace weir::lower
