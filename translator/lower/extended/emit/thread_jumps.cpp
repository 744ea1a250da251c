#include "translator/lower/extended/emit/thread_jumps.h"

#include <vector>

namespace weir::lower {
namespace {

using machine::BlockId;
using machine::End;

bool only_jumps(const machine::Block& block) {
  return block.parameters.empty() && block.body.empty() && block.terminator.end == End::kJump &&
         block.terminator.edges[0].arguments.empty();
}

}  // namespace

void thread_jumps(machine::Function& function) {
  // Edges go forward, so a sweep backward finds every target in its final form.
  std::vector<BlockId> leads_to(function.blocks.size());
  for (auto id = function.order.rbegin(); id != function.order.rend(); ++id) {
    auto& block = function.blocks[*id];
    leads_to[*id] = *id;
    if (block.terminator.end == End::kRestart) {
      continue;
    }
    for (machine::Edge& edge : block.terminator.edges) {
      edge.to = leads_to[edge.to];
    }
    for (machine::Instruction& instruction : block.body) {
      if (instruction.op == machine::Op::kExitIf) {
        instruction.target = leads_to[instruction.target];
      }
    }
    if (only_jumps(block)) {
      leads_to[*id] = block.terminator.edges[0].to;
    }
  }
  std::vector<bool> reachable(function.blocks.size(), false);
  reachable[function.order.front()] = true;
  std::vector<BlockId> order;
  for (const BlockId id : function.order) {
    if (!reachable[id]) {
      continue;
    }
    order.push_back(id);
    for (const machine::Edge& edge : function.blocks[id].terminator.edges) {
      reachable[edge.to] = true;
    }
    for (const machine::Instruction& instruction : function.blocks[id].body) {
      if (instruction.op == machine::Op::kExitIf) {
        reachable[instruction.target] = true;
      }
    }
  }
  function.order = std::move(order);
}

}  // namespace weir::lower
