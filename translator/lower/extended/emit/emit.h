// Allocated machine form to extended instructions.
#pragma once

#include <cstddef>

#include "translator/ebpf/program.h"
#include "translator/lower/extended/machine.h"
#include "translator/lower/extended/regalloc/allocate.h"

namespace weir::lower {

struct Emitted {
  ebpf::Program program;
  // How many instructions stand in front of those of blocks that are seldom run. (A program with
  // islands, ebpf/assembler.h, has a few more.)
  std::size_t hot = 0;
};

// Writes the function out: three-address instructions become two-address ones, arguments on edges
// become moves, blocks become places to jump to. The verdict that is in r0 from the beginning is
// the one that most ways lead to, or with `rank` n, if there are so many, the one that n others go
// before (preset_verdict.h). O(n).
Emitted emit(const machine::Function& function, const Allocation& allocation, std::size_t rank = 0);

}  // namespace weir::lower
