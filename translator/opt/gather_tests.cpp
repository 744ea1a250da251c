// Reorders a chain so that tests of one value are adjacent: `host A and src host B` compares the
// source, the destination and the source again.
//
// A chain is a line of blocks that all branch along one and the same edge when their test holds,
// and otherwise to the next. Sound where no bounds check or zero check lies between two of them:
// their order then does not change the verdict. What the blocks compute is computed before the
// chain; `sink` moves it down again. Gain: chains_to_sets and chains_to_switches find longer
// chains. O(values + edges). Test: tests/translator/opt/gather_tests_test.cpp.
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/graph.h"
#include "translator/ir/rewrite.h"
#include "translator/opt/passes.h"

namespace weir::opt {
namespace {

using ir::BlockId;
using ir::Compare;
using ir::kNoValue;
using ir::Op;
using ir::ValueId;

struct Test {
  Compare compare = Compare::kEq;
  ValueId a = kNoValue;
  ValueId b = kNoValue;
  std::uint32_t origin = ir::kNoOrigin;
};

class Gatherer {
 public:
  explicit Gatherer(ir::Function& function)
      : function_(function), in_chain_(function.blocks.size()) {}

  void run() {
    const ir::Predecessors predecessors(function_);
    for (BlockId at = 0; at < in_chain_.size(); ++at) {
      ways_.push_back(predecessors.of(at).size());
    }
    for (BlockId at = 0; at < in_chain_.size(); ++at) {
      if (in_chain_[at] || function_.blocks[at].terminator.end != ir::End::kBranch) {
        continue;
      }
      for (const std::uint32_t hit : {0U, 1U}) {
        const std::vector<BlockId> chain = find_chain(at, hit);
        if (chain.size() > 1) {
          gather(chain, hit);
          break;
        }
      }
    }
  }

 private:
  const ir::Terminator& end_of(BlockId at) const { return function_.blocks[at].terminator; }

  static bool same(const ir::Edge& x, const ir::Edge& y) {
    return x.to == y.to && x.arguments == y.arguments;
  }

  // The side of the block's branch that is the edge, if it can stand in the middle of a chain.
  std::optional<std::uint32_t> hit_side(BlockId at, const ir::Edge& hit) const {
    const ir::Block& block = function_.blocks[at];
    const ir::Terminator& end = block.terminator;
    const bool has_effect = std::any_of(block.body.begin(), block.body.end(), [this](ValueId id) {
      return ir::is_effect(function_.values[id].op);
    });
    if (ways_[at] != 1 || has_effect || !block.parameters.empty() || end.end != ir::End::kBranch) {
      return std::nullopt;
    }
    return same(end.edges[0], hit)   ? std::optional(0U)
           : same(end.edges[1], hit) ? std::optional(1U)
                                     : std::nullopt;
  }

  std::vector<BlockId> find_chain(BlockId first, std::uint32_t hit) const {
    std::vector<BlockId> chain = {first};
    const ir::Edge& edge = end_of(first).edges[hit];
    std::uint32_t side = hit;
    while (true) {
      const BlockId next = end_of(chain.back()).edges[1 - side].to;
      const auto next_side = hit_side(next, edge);
      if (!next_side) {
        return chain;
      }
      chain.push_back(next);
      side = *next_side;
    }
  }

  void gather(const std::vector<BlockId>& chain, std::uint32_t hit) {
    const ir::Edge hit_edge = end_of(chain[0]).edges[hit];
    // Tests that stand next to each other: of one value, or a single one of two values.
    std::vector<std::vector<Test>> groups;
    std::map<ValueId, std::size_t> of_value;
    bool moved = false;
    for (const BlockId at : chain) {
      in_chain_[at] = true;
      const ir::Terminator& end = end_of(at);
      const Compare compare = same(end.edges[0], hit_edge) ? end.compare : ir::negate(end.compare);
      std::size_t group = groups.size();
      if (function_.values[end.b].op == Op::kConstant) {
        group = of_value.try_emplace(end.a, group).first->second;
      }
      moved = moved || group + 1 < groups.size();
      groups.resize(std::max(groups.size(), group + 1));
      groups[group].push_back({compare, end.a, end.b, end.origin});
    }
    if (moved) {
      write(chain, groups, hit_edge);
    }
  }

  void write(const std::vector<BlockId>& chain, const std::vector<std::vector<Test>>& groups,
             const ir::Edge& hit) {
    const ir::Terminator& last = end_of(chain.back());
    const ir::Edge miss = same(last.edges[0], hit) ? last.edges[1] : last.edges[0];
    std::vector<ValueId>& body = function_.blocks[chain[0]].body;
    for (std::size_t i = 1; i < chain.size(); ++i) {
      std::vector<ValueId>& other = function_.blocks[chain[i]].body;
      body.insert(body.end(), other.begin(), other.end());
      other.clear();
    }
    std::size_t next = 0;
    for (const std::vector<Test>& group : groups) {
      for (const Test& test : group) {
        const BlockId at = chain[next++];
        function_.blocks[at].terminator = {
            .end = ir::End::kBranch,
            .compare = test.compare,
            .a = test.a,
            .b = test.b,
            .edges = {hit, next < chain.size() ? ir::Edge{chain[next], {}} : miss},
            .cases = {},
            .origin = test.origin};
      }
    }
  }

  ir::Function& function_;
  std::vector<bool> in_chain_;     // By block.
  std::vector<std::size_t> ways_;  // Into each block.
};

}  // namespace

void gather_tests(ir::Function& function) {
  ir::remove_unreachable_blocks(function);
  Gatherer(function).run();
}

}  // namespace weir::opt
