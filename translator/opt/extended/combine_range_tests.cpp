#include "translator/opt/extended/combine_range_tests.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/bounds.h"
#include "translator/ir/builder.h"
#include "translator/ir/graph.h"
#include "translator/ir/rewrite.h"

namespace weir::lower {
namespace {

using ir::BlockId;
using ir::Compare;
using ir::ValueId;

// Both ends included.
struct Interval {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

// Where numbers lead, in order and without gaps; neighbours lead to different places.
struct Piece {
  Interval numbers;
  const ir::Edge* edge = nullptr;
};
using Pieces = std::vector<Piece>;

constexpr std::size_t kMaxPieces = 8;

bool same(const ir::Edge& a, const ir::Edge& b) {
  return a.to == b.to && a.arguments == b.arguments;
}

void add(Pieces& pieces, const Interval& numbers, const ir::Edge& edge) {
  if (numbers.low > numbers.high) {
    return;
  }
  if (!pieces.empty() && same(*pieces.back().edge, edge)) {
    pieces.back().numbers.high = numbers.high;
    return;
  }
  pieces.push_back({numbers, &edge});
}

class Joiner {
 public:
  explicit Joiner(ir::Function& function)
      : function_(function),
        builder_(function),
        predecessors_(function),
        bounds_(ir::upper_bounds(function)) {}

  void run() {
    bool changed = false;
    for (std::size_t at = function_.blocks.size(); at-- > 0;) {
      changed = join(static_cast<BlockId>(at)) || changed;
    }
    if (changed) {
      ir::remove_unreachable_blocks(function_);
    }
  }

 private:
  // The value that the block's branch compares with a number for order or equality.
  ValueId tested(const ir::Terminator& end) const {
    const bool plain =
        end.end == ir::End::kBranch && end.compare != Compare::kSet &&
        end.compare != Compare::kClear && function_.values[end.b].op == ir::Op::kConstant &&
        function_.values[end.a].op != ir::Op::kConstant &&
        function_.values[end.a].op != ir::Op::kHas && function_.values[end.a].op != ir::Op::kIn;
    return plain ? end.a : ir::kNoValue;
  }

  // Where the numbers go on from the block, which tests `value`.
  void follow(const ir::Terminator& end, Interval numbers, ValueId value, Pieces& pieces) {
    const std::uint64_t k = function_.values[end.b].k;
    const auto go = [&](std::uint64_t low, std::uint64_t high, std::size_t edge) {
      const Interval part{std::max(low, numbers.low), std::min(high, numbers.high)};
      if (part.low <= part.high && low <= high) {
        enter(end.edges[edge], part, value, pieces);
      }
    };
    const std::uint64_t most = numbers.high;
    const auto below = [&](std::uint64_t first_above, std::size_t yes) {  // yes: below it.
      if (first_above > 0) {
        go(0, first_above - 1, yes);
      }
      go(first_above, most, 1 - yes);
    };
    switch (end.compare) {
      case Compare::kEq:
      case Compare::kNe: {
        const std::size_t equal = end.compare == Compare::kEq ? 0 : 1;
        if (k > 0) {
          go(0, k - 1, 1 - equal);
        }
        go(k, k, equal);
        go(k + 1, most, 1 - equal);
        return;
      }
      case Compare::kLt:
        return below(k, 0);
      case Compare::kLe:
        return below(k + 1, 0);
      case Compare::kGe:
        return below(k, 1);
      case Compare::kGt:
        return below(k + 1, 1);
      case Compare::kSet:
      case Compare::kClear:
        return;
    }
  }

  void enter(const ir::Edge& edge, const Interval& numbers, ValueId value, Pieces& pieces) {
    const ir::Block& block = function_.blocks[edge.to];
    const bool only_tests = block.parameters.empty() && block.body.empty() &&
                            predecessors_.of(edge.to).size() == 1 &&
                            tested(block.terminator) == value && pieces.size() < kMaxPieces;
    if (only_tests) {
      ++taken_in_;
      follow(block.terminator, numbers, value, pieces);
    } else {
      add(pieces, numbers, edge);
    }
  }

  bool join(BlockId at) {
    ir::Block& block = function_.blocks[at];
    const ValueId value = tested(block.terminator);
    if (value == ir::kNoValue) {
      return false;
    }
    Pieces pieces;
    taken_in_ = 0;
    follow(block.terminator, {0, bounds_[value]}, value, pieces);
    if (taken_in_ == 0 || pieces.size() < 2 || pieces.size() > 3) {
      return false;
    }
    if (pieces.size() == 3 && !same(*pieces[0].edge, *pieces[2].edge)) {
      return false;
    }
    const Interval inside = pieces[1].numbers;
    const ir::Edge yes = *pieces[1].edge;
    const ir::Edge no = *pieces[0].edge;
    write(block, value, pieces.size() == 2 ? std::nullopt : std::optional(inside.high), inside.low,
          yes, no);
    return true;
  }

  // From `low` on, to `high` if there is one.
  void write(ir::Block& block, ValueId value, std::optional<std::uint64_t> high, std::uint64_t low,
             const ir::Edge& yes, const ir::Edge& no) {
    const auto number = [&](std::uint64_t k) {
      return builder_.constant(static_cast<std::uint32_t>(k));
    };
    ir::Terminator end{.end = ir::End::kBranch, .a = value, .origin = block.terminator.origin};
    if (!high && low == 1) {
      end.compare = Compare::kNe;  // Which needs no host order.
      end.b = number(0);
    } else if (!high) {
      end.compare = Compare::kGe;
      end.b = number(low);
    } else if (*high == low) {
      end.compare = Compare::kEq;
      end.b = number(low);
    } else {
      builder_.set_origin(block.terminator.origin);
      end.a = builder_.add_value({.op = ir::Op::kSub, .a = value, .b = number(low)});
      block.body.push_back(end.a);
      end.compare = Compare::kLe;
      end.b = number(*high - low);
    }
    end.edges = {yes, no};
    block.terminator = std::move(end);
  }

  ir::Function& function_;
  ir::FunctionBuilder builder_;
  const ir::Predecessors predecessors_;
  const std::vector<std::uint32_t> bounds_;
  std::size_t taken_in_ = 0;  // How many blocks the one in hand makes superfluous.
};

}  // namespace

void combine_range_tests(ir::Function& function) { Joiner(function).run(); }

}  // namespace weir::lower
