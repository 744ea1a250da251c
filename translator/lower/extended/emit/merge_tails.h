// Code that does the same, once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "translator/ebpf/program.h"

namespace weir::lower {

// Makes one of all instructions that do the same and go on to the same, and lays the program out
// anew, mostly in the order it had: a filter that looks for one port behind two network headers
// then looks for it in one place. Instructions that only lead to each other in a circle are not
// compared. The origin of an instruction that stands for several is that of the last of them.
// Instructions from number `hot` on are seldom run and stay behind the others. O(n log n).
ebpf::Program merge_tails(const ebpf::Program& program, std::size_t hot = SIZE_MAX);

}  // namespace weir::lower
