#include "translator/ir/graph.h"

#include <cstddef>
#include <utility>

namespace weir::ir {

Predecessors::Predecessors(const Function& function) : first_(function.blocks.size() + 1) {
  for (const Block& block : function.blocks) {
    for (const Edge& edge : block.terminator.edges) {
      ++first_[edge.to + 1];
    }
  }
  for (std::size_t i = 1; i < first_.size(); ++i) {
    first_[i] += first_[i - 1];
  }
  ways_.resize(first_.back());
  std::vector<std::uint32_t> next(first_.begin(), first_.end() - 1);
  for (BlockId from = 0; from < function.blocks.size(); ++from) {
    const std::vector<Edge>& edges = function.blocks[from].terminator.edges;
    for (std::uint32_t edge = 0; edge < edges.size(); ++edge) {
      ways_[next[edges[edge].to]++] = {from, edge};
    }
  }
}

Dominators::Dominators(const Predecessors& predecessors, std::size_t blocks)
    : parent_(blocks), skip_(blocks), depth_(blocks), enter_(blocks), leave_(blocks) {
  for (BlockId block = 1; block < blocks; ++block) {
    const std::span<const Way> ways = predecessors.of(block);
    BlockId parent = ways.empty() ? 0 : ways[0].from;
    for (const Way& way : ways) {
      parent = common(parent, way.from);
    }
    hang(block, parent);
  }
  number();
}

// Myers' rule: two skips of equal length make one of both, so that every ancestor is O(log depth)
// steps away.
void Dominators::hang(BlockId block, BlockId parent) {
  parent_[block] = parent;
  depth_[block] = depth_[parent] + 1;
  const BlockId skip = skip_[parent];
  const bool equal = depth_[parent] - depth_[skip] == depth_[skip] - depth_[skip_[skip]];
  skip_[block] = equal ? skip_[skip] : parent;
}

BlockId Dominators::ancestor_at(BlockId block, std::uint32_t depth) const {
  while (depth_[block] > depth) {
    block = depth_[skip_[block]] >= depth ? skip_[block] : parent_[block];
  }
  return block;
}

BlockId Dominators::common(BlockId a, BlockId b) const {
  if (depth_[a] < depth_[b]) {
    std::swap(a, b);
  }
  a = ancestor_at(a, depth_[b]);
  while (a != b) {
    // Blocks of one depth have skips of one length.
    const bool far = skip_[a] != skip_[b];
    a = far ? skip_[a] : parent_[a];
    b = far ? skip_[b] : parent_[b];
  }
  return a;
}

// Children come behind their parents in block order, so two sweeps do: sizes upward, then numbers
// downward, each child taking the next free stretch of its parent's.
void Dominators::number() {
  const std::size_t blocks = parent_.size();
  std::vector<std::uint32_t> size(blocks, 1);
  for (std::size_t block = blocks; block-- > 1;) {
    size[parent_[block]] += size[block];
  }
  std::vector<std::uint32_t> next(blocks);
  for (std::size_t block = 0; block < blocks; ++block) {
    if (block > 0) {
      enter_[block] = next[parent_[block]];
      next[parent_[block]] += size[block];
    }
    next[block] = enter_[block] + 1;
    leave_[block] = enter_[block] + size[block];
  }
}

}  // namespace weir::ir
