// Set sharing: a test uses a larger set that the program tests elsewhere, where the members that
// its own set lacks cannot occur. `host` tests the first address before it may test the others, on
// one side but not on the other; afterwards both sides read one table. O(n log n) for n members.
// Test: tests/translator/opt/share_sets_test.cpp.
#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "translator/ir/graph.h"
#include "translator/ir/rewrite.h"
#include "translator/opt/analysis/value_classes.h"
#include "translator/opt/analysis/value_tests.h"
#include "translator/opt/passes.h"

namespace weir::opt {
namespace {

using ir::BlockId;
using ir::Op;
using ir::Range;

// So many tests before a test are looked at.
constexpr int kMostBlocks = 8;

struct Before {
  bool operator()(const ir::Set& a, const ir::Set& b) const {
    const auto before = [](const Range& x, const Range& y) {
      return std::pair(x.low, x.high) < std::pair(y.low, y.high);
    };
    return a.words != b.words
               ? a.words < b.words
               : std::lexicographical_compare(a.ranges.begin(), a.ranges.end(), b.ranges.begin(),
                                              b.ranges.end(), before);
  }
};

class Sharer {
 public:
  explicit Sharer(ir::Function& function)
      : function_(function),
        expressions_(function),
        predecessors_(function),
        uses_(ir::count_uses(function)) {}

  void run() {
    for (ir::Block& block : function_.blocks) {
      for (const ir::ValueId id : block.body) {
        ir::Value& test = function_.values[id];
        if (test.op == Op::kIn && uses_[id] != 0) {
          test.k = asked_.try_emplace(function_.sets[test.k], test.k).first->second;
        }
      }
    }
    for (BlockId at = 0; asked_.size() > 1 && at < function_.blocks.size(); ++at) {
      widen(at);
    }
    ir::compact(function_);
  }

 private:
  void widen(BlockId at) {
    const ir::Terminator& end = function_.blocks[at].terminator;
    if (end.end != ir::End::kBranch || function_.values[end.a].op != Op::kIn || uses_[end.a] != 1) {
      return;
    }
    ir::Value& test = function_.values[end.a];
    const ir::Set& set = function_.sets[test.k];
    const std::vector<Range> gone = excluded(at, expressions_.of(test.a));
    if (gone.empty()) {
      return;
    }
    const auto found = asked_.find(ir::unite(set, {.words = set.words, .ranges = gone}));
    if (found != asked_.end()) {
      test.k = found->second;
    }
  }

  // What the value of the class is not where the block is reached, as far as a few tests before it
  // tell.
  std::vector<Range> excluded(BlockId at, ClassId key) const {
    std::vector<Range> ranges;
    std::uint8_t words = 1;
    for (int steps = 0; steps < kMostBlocks && predecessors_.of(at).size() == 1; ++steps) {
      const ir::Way way = predecessors_.of(at)[0];
      const ir::Terminator& end = function_.blocks[way.from].terminator;
      const auto test = read_value_test(function_, end);
      if (test && expressions_.of(test->value) == key && same_way(end.edges[way.edge], test->no)) {
        words = test->words;
        ranges.insert(ranges.end(), test->members.begin(), test->members.end());
      }
      at = way.from;
    }
    return ir::make_set(words, std::move(ranges)).ranges;
  }

  ir::Function& function_;
  ValueClasses expressions_;
  const ir::Predecessors predecessors_;
  const std::vector<std::uint32_t> uses_;
  std::map<ir::Set, std::uint32_t, Before> asked_;  // The sets that are asked for, each once.
};

}  // namespace

void share_sets(ir::Function& function) {
  ir::remove_unreachable_blocks(function);
  if (!function.sets.empty()) {
    Sharer(function).run();
  }
}

}  // namespace weir::opt
