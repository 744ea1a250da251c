#include "translator/ir/build/live_variables.h"

#include <algorithm>

namespace weir::ir {
namespace {

constexpr std::uint32_t kIterationsBit = 1U << kIterations;

void sweep(std::span<const cbpf::Instruction> code, std::span<const FlowBlock> flow,
           std::vector<std::uint32_t>& live_in) {
  for (std::size_t at = flow.size(); at-- > 0;) {
    const FlowBlock& block = flow[at];
    std::uint32_t live = 0;
    for (const std::uint32_t next : block.next) {
      if (next != kNoFlow) {
        const bool stays = block.loop == flow[next].loop;
        live |= stays ? live_in[next] : live_in[next] & ~kIterationsBit;
      }
    }
    if (block.loop_head != kNoFlow) {
      live |= live_in[block.loop_head] | kIterationsBit;
    }
    for (std::uint32_t i = block.last + 1; i-- > block.first;) {
      const Effects e = effects(code[i]);
      live = (live & ~e.writes) | e.reads;
    }
    live_in[at] = live;
  }
}

}  // namespace

LiveVariables find_live_variables(std::span<const cbpf::Instruction> code,
                                  std::span<const FlowBlock> flow) {
  LiveVariables result;
  std::vector<std::uint32_t>& heads = result.loop_heads;
  for (const FlowBlock& block : flow) {
    if (block.loop_head != kNoFlow &&
        std::find(heads.begin(), heads.end(), block.loop_head) == heads.end()) {
      heads.push_back(block.loop_head);
    }
  }
  std::uint32_t mentioned = 1U << kA | 1U << kX | (heads.empty() ? 0 : kIterationsBit);
  for (const cbpf::Instruction& i : code) {
    const Effects e = effects(i);
    mentioned |= e.reads | e.writes;
  }
  for (std::uint32_t variable = 0; variable < kAllVariables; ++variable) {
    if ((mentioned >> variable & 1) != 0) {
      result.variables.push_back(variable);
    }
  }
  result.live_in.resize(flow.size());
  sweep(code, flow, result.live_in);
  if (!heads.empty()) {
    sweep(code, flow, result.live_in);
  }
  return result;
}

}  // namespace weir::ir
