// How many instructions a run executes, counted by the program itself: a copy is made that counts
// at the head of each basic block and returns the count where the program returns its verdict. So
// no engine is needed that counts, and the kernel can be asked too.
#pragma once

#include <cstdint>
#include <optional>

#include "cbpf/program.h"
#include "translator/ebpf/program.h"

namespace weir::bench {

// Uses two words of M[] that the program does not; nothing when there are none. A run that ends at
// a load past the packet still gives 0.
std::optional<cbpf::Program> counting(const cbpf::Program& program);

// Uses a register that the program does not; nothing when there is none. A call counts as one
// instruction, and so does a load of 64 bits. A run that ends in a legacy load past the packet
// still gives 0.
std::optional<ebpf::Program> counting(const ebpf::Program& program);

}  // namespace weir::bench
