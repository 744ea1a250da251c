#include "translator/lower/extended/emit/preset_verdict.h"

#include <algorithm>

#include "translator/lower/extended/regalloc/parallel_copy.h"

namespace weir::lower {
namespace {

using machine::Block;
using machine::BlockId;
using machine::End;
using machine::Instruction;
using machine::kNone;
using machine::Op;

constexpr Location kR0 = Location::in(ebpf::Reg::kR0);

bool in_r0(const Allocation& allocation, machine::Vreg vreg) {
  return vreg != kNone && allocation.locations[vreg] == kR0;
}

// Whether the edge needs r0 to move its arguments round a cycle.
bool moves_through_r0(const machine::Function& function, const Allocation& allocation,
                      const machine::Edge& edge) {
  std::vector<Copy> copies;
  for (std::size_t i = 0; i < edge.arguments.size(); ++i) {
    if (edge.arguments[i].is_reg()) {
      copies.push_back({allocation.locations[function.blocks[edge.to].parameters[i]],
                        allocation.locations[edge.arguments[i].reg]});
    }
  }
  const auto ordered = sequentialise(std::move(copies), {});
  return std::any_of(ordered.begin(), ordered.end(),
                     [](const Copy& copy) { return copy.to == kR0 || copy.from == kR0; });
}

// Whether a block leaves r0 alone. A call in front of a restart does no harm, as r0 is set again.
bool spares_r0(const machine::Function& function, const Allocation& allocation,
               const Block& block) {
  const bool restarts = block.terminator.end == End::kRestart;
  for (const Instruction& instruction : block.body) {
    if (in_r0(allocation, instruction.dst) ||
        (machine::clobbers(instruction) != 0 && !(restarts && instruction.op == Op::kPullData))) {
      return false;
    }
  }
  return restarts || std::none_of(block.terminator.edges.begin(), block.terminator.edges.end(),
                                  [&](const machine::Edge& edge) {
                                    return moves_through_r0(function, allocation, edge);
                                  });
}

bool returns_constant(const Block& block) {
  return block.terminator.end == End::kReturn && !block.terminator.b.is_reg() &&
         block.body.empty() && block.parameters.empty();
}

// How many ways lead to each block.
std::vector<std::uint32_t> count_ways(const machine::Function& function,
                                      std::span<const BlockId> order) {
  std::vector<std::uint32_t> ways(function.blocks.size(), 0);
  for (const BlockId id : order) {
    for (const machine::Edge& edge : function.blocks[id].terminator.edges) {
      ++ways[edge.to];
    }
    for (const Instruction& instruction : function.blocks[id].body) {
      if (instruction.op == Op::kExitIf) {
        ++ways[instruction.target];
      }
    }
  }
  return ways;
}

}  // namespace

std::vector<PresetVerdict> find_preset_verdicts(const machine::Function& function,
                                                const Allocation& allocation,
                                                std::span<const BlockId> order) {
  if (allocation.slots != 0) {
    return {};  // Moves between slots and registers may want r0.
  }
  // Of several restarts the last target: every path from the others comes through it.
  const auto place = [&](BlockId id) { return std::find(order.begin(), order.end(), id); };
  BlockId top = order.front();
  std::vector<PresetVerdict> verdicts;
  for (const BlockId id : order) {
    const Block& block = function.blocks[id];
    if (!spares_r0(function, allocation, block)) {
      return {};
    }
    if (block.terminator.end == End::kRestart) {
      const BlockId target = block.terminator.edges[0].to;
      top = place(target) > place(top) ? target : top;
    }
    if (returns_constant(block)) {
      verdicts.push_back({.value = block.terminator.b.imm, .exit = id});
    }
  }
  if (verdicts.size() < 2) {
    return {};
  }
  for (PresetVerdict& verdict : verdicts) {
    verdict.top = top;
  }
  const auto ways = count_ways(function, order);
  std::stable_sort(verdicts.begin(), verdicts.end(), [&](const auto& left, const auto& right) {
    return ways[left.exit] > ways[right.exit];
  });
  return verdicts;
}

}  // namespace weir::lower
