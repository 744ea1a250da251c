// Switches of the classic machine: a search tree of conditional jumps on A.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "translator/ir/function.h"
#include "translator/lower/classic_code.h"
#include "translator/lower/classic_packing.h"

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

struct TreeOptions {
  // The largest number that A can hold.
  std::uint32_t largest = 0xffffffff;
  // If there is one, of two targets; A then holds something else where they are reached.
  Packer* packer = nullptr;
};

// Adds blocks that lead from A to its segment's target and gives the first of them; the target
// itself if there is but one segment. Up to a hundred compares are made one after the other, which
// is the shortest there is; for more separate numbers n it takes about 17n/16 instructions and
// executes log2(n) + 12 of them.
//
// With compares alone it cannot be shorter: each of n numbers that are not neighbours has a border
// to either side, `jeq` sees two borders and `jgt` and `jge` one. And what has exactly n compares
// has n of `jeq`, so that other numbers run all of them.
BlockId add_switch_tree(Code& code, std::span<const Segment> segments,
                        const TreeOptions& options = {});

}  // namespace weir::lower::classic
