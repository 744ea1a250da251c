#include "translator/lower/extended/select/switch_tree.h"

#include <algorithm>
#include <span>
#include <utility>

namespace weir::lower {
namespace {

using ebpf::JumpOp;
using machine::Edge;
using machine::End;
using machine::Operand;

// From `low` to the next range's low, or to 2^32 - 1.
struct Range {
  std::uint32_t low = 0;
  std::uint32_t edge = 0;
};

using Ranges = std::span<const Range>;

// The whole of 0 to 2^32 - 1, in order; neighbours have different edges.
std::vector<Range> all_ranges(const ir::Terminator& terminator) {
  std::vector<Range> ranges;
  const auto add = [&](std::uint64_t low, std::uint32_t edge) {
    if (ranges.empty() || ranges.back().edge != edge) {
      ranges.push_back({static_cast<std::uint32_t>(low), edge});
    }
  };
  std::uint64_t next = 0;
  for (const ir::Case& each : terminator.cases) {
    if (next < each.low) {
      add(next, 0);
    }
    add(each.low, each.edge);
    next = std::uint64_t{each.high} + 1;
  }
  if (next <= 0xffffffff) {
    add(next, 0);
  }
  return ranges;
}

class Tree {
 public:
  Tree(machine::Builder& builder, machine::Vreg value,
       const std::function<Edge(std::uint32_t)>& edge_of)
      : builder_(builder), value_(value), edge_of_(edge_of) {}

  // Decides among `ranges` in the current block; `value` is known to be in one of them. `high` is
  // the end of the last.
  void decide(Ranges ranges, std::uint32_t high) {
    if (ranges.size() == 1) {
      builder_.end({.end = End::kJump, .edges = {edge_of_(ranges[0].edge)}});
      return;
    }
    if (const auto points = few_points(ranges, high); !points.empty()) {
      equal_to_one_of(points, other_edge(ranges, points));
      return;
    }
    // Below the pivot and from it on.
    const std::size_t middle = ranges.size() / 2;
    const Ranges below = ranges.first(middle);
    const Ranges above = ranges.subspan(middle);
    const std::uint32_t pivot = above[0].low;
    const auto [below_edge, below_block] = subtree(below);
    const auto [above_edge, above_block] = subtree(above);
    branch(JumpOp::kGe, pivot, above_edge, below_edge);
    if (below_block != machine::kNone) {
      builder_.start(below_block);
      decide(below, pivot - 1);
    }
    if (above_block != machine::kNone) {
      builder_.start(above_block);
      decide(above, high);
    }
  }

 private:
  static constexpr std::size_t kMaxPoints = 3;

  void branch(JumpOp op, std::uint32_t constant, Edge yes, Edge no) {
    builder_.end({.end = End::kBranch,
                  .compare = op,
                  .a = value_,
                  .b = Operand::constant(constant),
                  .edges = {std::move(yes), std::move(no)}});
  }

  std::pair<Edge, machine::BlockId> subtree(Ranges ranges) {
    if (ranges.size() == 1) {
      return {edge_of_(ranges[0].edge), machine::kNone};
    }
    const machine::BlockId block = builder_.function().new_block();
    return {Edge{.to = block}, block};
  }

  static std::uint32_t high_of(Ranges ranges, std::size_t i, std::uint32_t high) {
    return i + 1 < ranges.size() ? ranges[i + 1].low - 1 : high;
  }

  // If all ranges but at most three single numbers have the same edge: those numbers.
  static std::vector<Range> few_points(Ranges ranges, std::uint32_t high) {
    if (ranges.size() > 2 * kMaxPoints + 1) {
      return {};
    }
    for (const std::size_t first : {std::size_t{1}, std::size_t{0}}) {
      std::vector<Range> points;
      bool right = true;
      for (std::size_t i = 0; i < ranges.size(); ++i) {
        if (i % 2 == first) {
          points.push_back(ranges[i]);
          right = right && ranges[i].low == high_of(ranges, i, high);
        } else {
          right = right && ranges[i].edge == ranges[1 - first].edge;
        }
      }
      if (right && points.size() <= kMaxPoints) {
        return points;
      }
    }
    return {};
  }

  static std::uint32_t other_edge(Ranges ranges, const std::vector<Range>& points) {
    return points[0].low == ranges[0].low ? ranges[1].edge : ranges[0].edge;
  }

  void equal_to_one_of(const std::vector<Range>& points, std::uint32_t other) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (i + 1 == points.size()) {
        branch(JumpOp::kEq, points[i].low, edge_of_(points[i].edge), edge_of_(other));
        return;
      }
      const machine::BlockId rest = builder_.function().new_block();
      branch(JumpOp::kEq, points[i].low, edge_of_(points[i].edge), Edge{.to = rest});
      builder_.start(rest);
    }
  }

  machine::Builder& builder_;
  machine::Vreg value_;
  const std::function<Edge(std::uint32_t)>& edge_of_;
};

}  // namespace

void lower_switch(machine::Builder& builder, const ir::Terminator& terminator, machine::Vreg value,
                  const std::function<Edge(std::uint32_t edge)>& edge_of) {
  const std::vector<Range> ranges = all_ranges(terminator);
  Tree(builder, value, edge_of).decide(ranges, 0xffffffff);
}

}  // namespace weir::lower
