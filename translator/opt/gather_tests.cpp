// Puts the tests of one value together, and makes a set of many: `host A or host B` asks for the
// source, the destination, the source, the destination.
//
// A chain is a line of blocks that all branch to one and the same edge when their test holds, and
// else to the next. Where no need or guard stands between two of them their order does not matter,
// so the tests for equality are written down value by value. What the blocks compute is computed at
// the chain's beginning; `sink` moves it down again. Price: O(values + edges), and n log n for n
// members of sets.
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/builder.h"
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

// Fewer numbers than this are compared one by one.
constexpr std::size_t kSmallestSet = 8;

// Tests that stand next to each other: of one value for several numbers, or a single other one.
struct Group {
  Compare compare = Compare::kEq;
  ValueId a = kNoValue;
  std::vector<ValueId> bs;
  std::vector<std::uint32_t> origins;  // Of each test.
};

class Gatherer {
 public:
  explicit Gatherer(ir::Function& function)
      : function_(function), builder_(function), in_chain_(function.blocks.size()) {}

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
    std::vector<Group> groups;
    std::map<ValueId, std::size_t> of_value;
    bool moved = false;
    bool large = false;
    for (const BlockId at : chain) {
      in_chain_[at] = true;
      const ir::Terminator& end = end_of(at);
      const Compare compare = same(end.edges[0], hit_edge) ? end.compare : ir::negate(end.compare);
      const bool equality = compare == Compare::kEq && function_.values[end.b].op == Op::kConstant;
      if (equality) {
        const auto [found, fresh] = of_value.try_emplace(end.a, groups.size());
        if (!fresh) {
          Group& group = groups[found->second];
          group.bs.push_back(end.b);
          group.origins.push_back(end.origin);
          moved = moved || found->second + 1 != groups.size();
          large = large || group.bs.size() >= kSmallestSet;
          continue;
        }
      }
      groups.push_back({compare, end.a, {end.b}, {end.origin}});
    }
    if (moved || large) {
      write(chain, groups, hit_edge);
    }
  }

  void write(const std::vector<BlockId>& chain, const std::vector<Group>& groups,
             const ir::Edge& hit) {
    const ir::Terminator& last = end_of(chain.back());
    const ir::Edge miss = same(last.edges[0], hit) ? last.edges[1] : last.edges[0];
    std::vector<ValueId>& body = function_.blocks[chain[0]].body;
    for (std::size_t i = 1; i < chain.size(); ++i) {
      std::vector<ValueId>& other = function_.blocks[chain[i]].body;
      body.insert(body.end(), other.begin(), other.end());
      other.clear();
    }
    std::size_t used = 0;
    BlockId before = chain[0];
    const auto test = [&](Compare compare, ValueId a, ValueId b, std::uint32_t origin) {
      const BlockId at = chain[used];
      if (used++ != 0) {
        function_.blocks[before].terminator.edges[1] = {at, {}};
      }
      before = at;
      function_.blocks[at].terminator = {.end = ir::End::kBranch,
                                         .compare = compare,
                                         .a = a,
                                         .b = b,
                                         .edges = {hit, miss},
                                         .cases = {},
                                         .origin = origin};
    };
    for (const Group& group : groups) {
      if (group.bs.size() >= kSmallestSet) {
        builder_.set_origin(group.origins[0]);
        const ValueId in = builder_.add_value(
            {.op = Op::kIn, .k = add_set(group), .a = group.a, .origin = group.origins[0]});
        body_of(chain[0]).push_back(in);
        test(Compare::kNe, in, builder_.constant(0), group.origins[0]);
        continue;
      }
      for (std::size_t i = 0; i < group.bs.size(); ++i) {
        test(group.compare, group.a, group.bs[i], group.origins[i]);
      }
    }
  }

  std::vector<ValueId>& body_of(BlockId at) { return function_.blocks[at].body; }

  std::uint32_t add_set(const Group& group) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> members;
    for (const ValueId b : group.bs) {
      const std::uint32_t k = function_.values[b].k;
      members.emplace_back(k, k);
    }
    function_.sets.push_back(ir::make_set(members));
    return static_cast<std::uint32_t>(function_.sets.size() - 1);
  }

  ir::Function& function_;
  ir::FunctionBuilder builder_;
  std::vector<bool> in_chain_;     // By block.
  std::vector<std::size_t> ways_;  // Into each block.
};

}  // namespace

void gather_tests(ir::Function& function) {
  ir::remove_unreachable_blocks(function);
  Gatherer(function).run();
  ir::remove_unreachable_blocks(function);
}

}  // namespace weir::opt
