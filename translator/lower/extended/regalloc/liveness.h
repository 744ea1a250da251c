// Where each virtual register is alive, and what that forbids.
#pragma once

#include <cstdint>
#include <vector>

#include "translator/lower/extended/machine.h"

namespace weir::lower {

// The last moment of a virtual register inside a block: it is alive before the instruction at
// `position`, or defined by it, and not alive behind it.
struct Death {
  std::uint32_t position = 0;
  machine::Vreg vreg = machine::kNone;
};

struct Liveness {
  // By block: alive at its start, its parameters not among them.
  std::vector<std::vector<machine::Vreg>> live_in;
  // By block: in order of position. What is alive at the end of the block is not here.
  std::vector<std::vector<Death>> deaths;
  // By virtual register: the real registers that nothing alive beside it takes or clobbers. r0 is
  // left to moves on edges and so never holds what is alive between blocks.
  std::vector<machine::RegSet> allowed;
  // By virtual register: how often it is read, and how many instructions it is alive for.
  std::vector<std::uint32_t> uses;
  std::vector<std::uint32_t> length;
};

// One sweep backward; the function has no loops but kRestart, which carries nothing round but its
// own operand. O(n * alive at once).
Liveness analyse_liveness(const machine::Function& function);

// Removes instructions whose result nobody reads and which do nothing else, and block parameters
// that nobody reads.
void remove_dead(machine::Function& function);

}  // namespace weir::lower
