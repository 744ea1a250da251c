// Liveness of the classic machine's variables, by flow block.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cbpf/instruction.h"
#include "translator/ir/build/classic_semantics.h"
#include "translator/ir/build/unroll.h"

namespace weir::ir {

// How often the backward jumps of the loop in hand have been taken: one more variable, which starts
// at 0 on every edge into a loop.
inline constexpr std::uint32_t kIterations = kVariables;
inline constexpr std::uint32_t kAllVariables = kVariables + 1;

struct LiveVariables {
  // The variables that the program mentions, in order; A and X always, kIterations if it repeats.
  std::vector<std::uint32_t> variables;
  std::vector<std::uint32_t> loop_heads;  // The targets of backward jumps that are not unrolled.
  std::vector<std::uint32_t> live_in;     // By flow block: a mask, bit v is variable v.

  bool is_live(std::uint32_t at, std::uint32_t variable) const {
    return (live_in[at] >> variable & 1) != 0;
  }
};

// Backward data-flow analysis. One sweep, and for loops a second one, which knows what their heads
// want: loops neither nest nor overlap. O(instructions).
LiveVariables find_live_variables(std::span<const cbpf::Instruction> code,
                                  std::span<const FlowBlock> flow);

}  // namespace weir::ir
