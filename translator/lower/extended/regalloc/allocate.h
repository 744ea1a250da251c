// Register allocation over the machine form.
//
// The function has no loops and is in SSA form, so its interference graph is chordal: walking the
// blocks in dominance order (any order in which edges go forward) and giving each definition a
// register that no live value holds colours it with no more registers than are alive at once (Hack,
// Grund, Goos, "Register Allocation for Programs in SSA Form", CC 2006). Calls and LD_ABS restrict
// what lives across them to r6-r9; where a definition finds no register, the value that is cheapest
// to keep on the stack moves there, and the walk starts again. Parameters and their arguments
// prefer the same register, so that most edges move nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/lower/extended/machine.h"
#include "translator/lower/extended/regalloc/parallel_copy.h"

namespace weir::lower {

inline constexpr std::int32_t kStackBytes = 512;  // MAX_BPF_STACK of linux/filter.h.

struct Allocation {
  std::vector<Location> locations;  // By virtual register.
  std::uint32_t slots = 0;          // Of 8 bytes, below Function::stack_bytes; the last is spare.
};

// Gives every virtual register of the function a place; adds kSpill and kReload instructions where
// it must. kUnsupported when more than 512 bytes of stack are needed.
Result<Allocation> allocate(machine::Function& function);

}  // namespace weir::lower
