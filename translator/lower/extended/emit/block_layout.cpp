// Every jump to a cold block has a label of its own, so where thousands of them go farther than a
// jump reaches, the islands they need (ebpf/assembler.h) make the way longer for all the others:
// with as many far jumps as a jump reaches there would be no end to it.
#include "translator/lower/extended/emit/block_layout.h"

#include <algorithm>
#include <cstddef>

namespace weir::lower {
namespace {

using machine::Block;
using machine::BlockId;
using machine::Function;

// Three-address instructions become up to two, and merging tails only shortens: jumps of a program
// below this reach everything in it, or nearly.
constexpr std::size_t kLong = 16000;

std::size_t size_of(const Function& function) {
  std::size_t size = 0;
  for (const BlockId id : function.order) {
    size += function.blocks[id].body.size() + 1;
  }
  return size;
}

// For each block the hot block behind which it may stand, as its number in the order.
std::vector<std::size_t> earliest_places(const Function& function) {
  std::vector<std::size_t> place(function.blocks.size(), 0);
  for (std::size_t i = 0; i < function.order.size(); ++i) {
    const BlockId from = function.order[i];
    const Block& block = function.blocks[from];
    if (!block.cold) {
      place[from] = i;
    }
    const auto leads_to = [&](BlockId to) { place[to] = std::max(place[to], place[from]); };
    for (const machine::Instruction& instruction : block.body) {
      if (instruction.op == machine::Op::kExitIf) {
        leads_to(instruction.target);
      }
    }
    if (block.terminator.end != machine::End::kRestart) {
      for (const machine::Edge& edge : block.terminator.edges) {
        leads_to(edge.to);
      }
    }
  }
  return place;
}

}  // namespace

BlockLayout lay_out(const Function& function) {
  BlockLayout order{.blocks = function.order};
  const auto cold = [&](BlockId id) { return function.blocks[id].cold; };
  if (size_of(function) < kLong) {
    std::stable_partition(order.blocks.begin(), order.blocks.end(),
                          [&](BlockId id) { return !cold(id); });
    return order;
  }
  order.cold_behind = false;
  const std::vector<std::size_t> place = earliest_places(function);
  std::stable_sort(order.blocks.begin(), order.blocks.end(), [&](BlockId a, BlockId b) {
    return place[a] != place[b] ? place[a] < place[b] : cold(a) < cold(b);
  });
  return order;
}

}  // namespace weir::lower
