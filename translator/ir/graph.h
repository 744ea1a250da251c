// The graph of blocks: who comes before whom, and who stands on every way to whom. Made in one
// sweep from a function whose edges go forward; stale once blocks or edges change.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "translator/ir/function.h"

namespace weir::ir {

// A way into a block.
struct Way {
  BlockId from = 0;
  std::uint32_t edge = 0;  // Index into the edges of `from`.
};

// The ways into each block, all of them in one array. A block that is branched to twice from one
// block has two. O(blocks + edges).
class Predecessors {
 public:
  explicit Predecessors(const Function& function);
  std::span<const Way> of(BlockId block) const {
    return std::span(ways_).subspan(first_[block], first_[block + 1] - first_[block]);
  }

 private:
  std::vector<std::uint32_t> first_;
  std::vector<Way> ways_;
};

// The dominator tree. As blocks stand in order, the immediate dominator of a block is the nearest
// common ancestor of its predecessors, all of which have their place already (Cooper, Harvey and
// Kennedy, "A Simple, Fast Dominance Algorithm", 2001, in its single pass for graphs without
// loops); the ancestor is found by skip pointers (Myers, "An applicative random-access stack",
// 1983) in O(log n) even where ten thousand blocks share one exit. A block that cannot be reached
// counts as hanging from the entry.
class Dominators {
 public:
  // O(edges log blocks).
  explicit Dominators(const Predecessors& predecessors, std::size_t blocks);

  // The nearest block, other than `block`, on every way to it; the entry's is the entry.
  BlockId immediate(BlockId block) const { return parent_[block]; }
  // Whether every way to `b` passes `a`; a block dominates itself. O(1).
  bool dominates(BlockId a, BlockId b) const {
    return enter_[a] <= enter_[b] && enter_[b] < leave_[a];
  }
  // The nearest block that dominates both. O(log n).
  BlockId common(BlockId a, BlockId b) const;

 private:
  void hang(BlockId block, BlockId parent);
  BlockId ancestor_at(BlockId block, std::uint32_t depth) const;
  void number();

  std::vector<BlockId> parent_;
  std::vector<BlockId> skip_;  // An ancestor further up.
  std::vector<std::uint32_t> depth_;
  // The blocks below a block have the numbers enter_ .. leave_ - 1 in depth-first order.
  std::vector<std::uint32_t> enter_;
  std::vector<std::uint32_t> leave_;
};

}  // namespace weir::ir
