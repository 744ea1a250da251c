// Switches of the classic machine: a search tree of conditional jumps on A.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "translator/ir/function.h"
#include "translator/lower/classic/code.h"
#include "translator/lower/classic/mask_sets.h"

namespace weir::lower::classic {

// The numbers from `low` to the next segment's, or to the last there is, lead to `to`.
struct Segment {
  std::uint32_t low = 0;
  BlockId to = 0;
};

// All numbers as segments, the first from 0, neighbours with different targets. `targets` are those
// of the terminator's edges.
std::vector<Segment> segments_of(const ir::Terminator& end, std::span<const BlockId> targets);

// The segments with neighbours of one target made one.
std::vector<Segment> merge_neighbours(std::span<const Segment> segments);

// Without a limit, numbers are asked for one after the other.
inline constexpr std::size_t kAnyLeaf = static_cast<std::size_t>(-1);

struct TreeOptions {
  // A leaf of the tree asks for so many numbers, one after the other.
  std::size_t leaf = kAnyLeaf;
  // The largest number that A can hold.
  std::uint32_t largest = 0xffffffff;
  // If there is one, of two targets; A then holds something else where they are reached.
  Packer* packer = nullptr;
};

// Adds blocks that lead from A to its segment's target and gives the first of them; the target
// itself if there is but one segment. For n separate numbers there are n compares, and one more for
// each leaf; up to log2(n / leaf) + leaf of them are executed.
//
// With compares alone n cannot be done with fewer than n: each of the numbers has a border to
// either side, `jeq` sees two borders and `jgt` and `jge` one. And what has exactly n compares has
// n of `jeq`, so that numbers that are not among them meet all of those. Shortest and quickest
// exclude each other; to_classic() says how much is given for what.
BlockId add_switch_tree(Code& code, std::span<const Segment> segments,
                        const TreeOptions& options = {});

}  // namespace weir::lower::classic
