// The control flow of a classic program as a graph without cycles: what build() walks over.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/validate.h"
#include "translator/ir/loops.h"

namespace weir::ir {

// An unrolled program has at most this many instructions.
inline constexpr std::uint64_t kMaxUnrolled = 1U << 20;

inline constexpr std::uint32_t kNoFlow = 0xffffffff;

// Instructions that are entered at the first and left at the last one, in one iteration of the loop
// they are in.
struct FlowBlock {
  std::uint32_t first = 0;  // Indices into the program, both included.
  std::uint32_t last = 0;
  // Indices of later flow blocks: [0] where a taken jump, a `ja` or falling through goes; [1] where
  // a jump that is not taken goes. kNoFlow: there is no such edge, because the block ends with
  // `ret` or with a backward jump that is not unrolled.
  std::array<std::uint32_t, 2> next = {kNoFlow, kNoFlow};
  // Where the backward jump leads, an earlier flow block, if it is not unrolled.
  std::uint32_t loop_head = kNoFlow;
  // The loop it is in, by a number that no other has; a loop can be entered anywhere.
  std::uint32_t loop = kNoFlow;
};

// The blocks that can be reached, in an order in which every edge of `next` goes forward. Unrolled,
// a loop is there `loops.most` + 1 times, and its backward jumps lead from one copy to the next,
// the last one nowhere; as loops do not overlap, an edge out of one leads to blocks that are there
// once.
//
// O(instructions, unrolled if so). kUnsupported when these are more than kMaxUnrolled.
Result<std::vector<FlowBlock>> control_flow(const cbpf::ValidatedProgram& program,
                                            const Loops& loops);

}  // namespace weir::ir
