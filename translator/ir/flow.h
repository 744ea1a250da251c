// The control flow of a classic program, its loops unrolled: what build() walks over.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/validate.h"

namespace weir::ir {

// An unrolled program has at most this many instructions.
inline constexpr std::uint64_t kMaxUnrolled = 1U << 20;

inline constexpr std::uint32_t kNoFlow = 0xffffffff;

// A stretch of instructions that is entered at its first and left at its last one, in one turn of
// the loop it is in.
struct FlowBlock {
  std::uint32_t first = 0;  // Indices into the program, both included.
  std::uint32_t last = 0;
  // Indices of later flow blocks: [0] where a taken jump, a `ja` or falling through goes; [1] where
  // a jump that is not taken goes. kNoFlow: there is no such way, because the block ends with `ret`
  // or with a backward jump that is one too many (see cbpf::kMaxBackwardJumps).
  std::array<std::uint32_t, 2> next = {kNoFlow, kNoFlow};
};

// The blocks that can be reached, in an order in which every way goes forward. A loop stands there
// kMaxBackwardJumps + 1 times, and its backward jumps go from one turn to the next; as loops do not
// overlap, a way out of one leads to blocks that stand there once.
//
// O(unrolled instructions). kUnsupported when these are more than kMaxUnrolled.
Result<std::vector<FlowBlock>> unroll(const cbpf::ValidatedProgram& program);

}  // namespace weir::ir
