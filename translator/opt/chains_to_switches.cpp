// Switch formation: a chain of compares of one value that leads to many blocks becomes a switch, as
// in programs that classify packets:
//
//   b1: branch eq v0, 80 ? b7 : b2
//   b2: branch eq v0, 443 ? b8 : b3   -->   b1: switch v0 { 80 ? b7, 443 ? b8, 53 ? b9, else b10 }
//   b3: branch eq v0, 53 ? b9 : b10
//
// Sound because the first test that holds decides: among ranges that overlap the earlier one wins.
// What the blocks of the tests compute is computed before the switch. Chains with one destination
// are left to chains_to_sets, and short ones stay. O(n log n).
// Test: tests/translator/opt/chains_to_switches_test.cpp.
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "translator/ir/rewrite.h"
#include "translator/opt/analysis/value_classes.h"
#include "translator/opt/analysis/value_tests.h"
#include "translator/opt/passes.h"

namespace weir::opt {
namespace {

using ir::BlockId;
using ir::Edge;
using ir::Range;

// Fewer tests than this are compared one by one.
constexpr std::size_t kShortest = 8;

// Members of a test, and which edge of the switch they take.
struct Entry {
  Range range;
  std::uint32_t edge = 0;
};

// The cases of entries of which the earlier one wins, O(n log n).
std::vector<ir::Case> cases_of(const std::vector<Entry>& entries) {
  std::vector<std::pair<std::uint64_t, std::size_t>> ends;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    ends.emplace_back(entries[i].range.low.lower, i);
    ends.emplace_back(entries[i].range.high.lower + 1, i);
  }
  std::sort(ends.begin(), ends.end());
  std::vector<ir::Case> cases;
  std::set<std::size_t> there;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const auto [low, entry] = ends[i];
    if (const auto [at, is_new] = there.insert(entry); !is_new) {
      there.erase(at);
    }
    if (there.empty() || ends[i + 1].first == low) {
      continue;
    }
    const std::uint32_t edge = entries[*there.begin()].edge;
    const auto high = static_cast<std::uint32_t>(ends[i + 1].first - 1);
    if (!cases.empty() && cases.back().edge == edge && cases.back().high + 1 == low) {
      cases.back().high = high;
    } else {
      cases.push_back({static_cast<std::uint32_t>(low), high, edge});
    }
  }
  return cases;
}

class SwitchMaker {
 public:
  explicit SwitchMaker(ir::Function& function)
      : function_(function),
        expressions_(function),
        ways_in_(function.blocks.size(), 0),
        taken_(function.blocks.size(), false) {}

  void run() {
    for (const ir::Block& block : function_.blocks) {
      for (const Edge& edge : block.terminator.edges) {
        ++ways_in_[edge.to];
      }
    }
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      if (!taken_[at]) {
        find_chain(at);
      }
    }
  }

 private:
  void find_chain(BlockId first) {
    auto test = read_value_test(function_, function_.blocks[first].terminator);
    if (!test || test->words != 1) {
      return;
    }
    const ir::ValueId value = test->value;
    const ClassId key = expressions_.of(value);
    std::vector<BlockId> chain = {first};
    std::vector<ValueTest> tests;
    tests.push_back(*std::move(test));
    for (;;) {
      const BlockId next = tests.back().no.to;
      if (ways_in_[next] != 1 || !may_move_up(function_, function_.blocks[next])) {
        break;
      }
      test = read_value_test(function_, function_.blocks[next].terminator);
      if (!test || test->words != 1 || expressions_.of(test->value) != key) {
        break;
      }
      chain.push_back(next);
      tests.push_back(*std::move(test));
    }
    for (const BlockId at : chain) {
      taken_[at] = true;
    }
    if (tests.size() >= kShortest) {
      write(chain, tests, value);
    }
  }

  void write(const std::vector<BlockId>& chain, std::vector<ValueTest>& tests, ir::ValueId value) {
    ir::Block& block = function_.blocks[chain[0]];
    for (std::size_t i = 1; i < chain.size(); ++i) {
      const std::vector<ir::ValueId> body = std::exchange(function_.blocks[chain[i]].body, {});
      block.body.insert(block.body.end(), body.begin(), body.end());
    }
    ir::Terminator choice{.end = ir::End::kSwitch, .a = value, .origin = block.terminator.origin};
    std::map<std::pair<BlockId, std::vector<ir::ValueId>>, std::uint32_t> known;
    const auto edge_of = [&](const Edge& edge) {
      const auto [found, is_new] = known.try_emplace(
          {edge.to, edge.arguments}, static_cast<std::uint32_t>(choice.edges.size()));
      if (is_new) {
        choice.edges.push_back(edge);
      }
      return found->second;
    };
    edge_of(tests.back().no);
    std::vector<Entry> entries;
    for (const ValueTest& test : tests) {
      const std::uint32_t edge = edge_of(test.yes);
      for (const Range& range : test.members) {
        entries.push_back({range, edge});
      }
    }
    choice.cases = cases_of(entries);
    // What goes where everything else goes needs no case.
    std::erase_if(choice.cases, [](const ir::Case& each) { return each.edge == 0; });
    block.terminator = std::move(choice);
  }

  ir::Function& function_;
  ValueClasses expressions_;
  std::vector<std::uint32_t> ways_in_;  // By block.
  std::vector<bool> taken_;             // By block: it is in a chain.
};

}  // namespace

void chains_to_switches(ir::Function& function) {
  ir::remove_unreachable_blocks(function);
  SwitchMaker(function).run();
  ir::remove_unreachable_blocks(function);
  ir::compact(function);
}

}  // namespace weir::opt
