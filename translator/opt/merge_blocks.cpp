// Simplifies the control flow graph: straight lines become one block, blocks that only jump are
// bypassed, a jump to a bare return returns, and identical blocks become one.
//
// Identity is decided from the last block to the first, so that the successors of a block have been
// merged before it is looked at: hash consing of blocks, as in the minimisation of acyclic automata
// (Revuz, "Minimisation of acyclic deterministic automata in linear time", 1992).
// O(values + edges). Test: tests/translator/opt/merge_blocks_test.cpp.
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "translator/ir/graph.h"
#include "translator/ir/operands.h"
#include "translator/ir/rewrite.h"
#include "translator/opt/passes.h"

namespace weir::opt {
namespace {

using ir::BlockId;
using ir::End;
using ir::kNoValue;
using ir::Op;
using ir::ValueId;

bool is_bare(const ir::Block& block) { return block.parameters.empty() && block.body.empty(); }

class Merger {
 public:
  explicit Merger(ir::Function& function) : function_(function) {}

  void run() {
    ir::remove_unreachable_blocks(function_);
    merge_same();
    pass_bare_blocks();
    ir::remove_unreachable_blocks(function_);
    join_lines();
    ir::remove_unreachable_blocks(function_);
    ir::compact(function_);
  }

 private:
  // ---- Blocks that do the same ----

  // A block's content as numbers; equal keys mean equal content.
  using Key = std::vector<std::uint32_t>;

  void merge_same() {
    find_local_values();
    std::vector<BlockId> same(function_.blocks.size());
    std::map<Key, BlockId> known;
    for (std::size_t at = function_.blocks.size(); at-- > 0;) {
      const auto block = static_cast<BlockId>(at);
      same[at] = block;
      for (ir::Edge& edge : function_.blocks[at].terminator.edges) {
        edge.to = same[edge.to];
      }
      fold_same_edges(function_.blocks[at].terminator);
      // The later one of two stays, so that all edges to it go forward.
      if (!is_used_behind_[at] && at != 0) {
        same[at] = known.try_emplace(key_of(block), block).first->second;
      }
    }
  }

  // Finds blocks that define what other blocks use.
  void find_local_values() {
    is_used_behind_.assign(function_.blocks.size(), false);
    home_.assign(function_.values.size(), kNowhere);
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      const ir::Block& block = function_.blocks[at];
      for (const ValueId id : block.parameters) {
        home_[id] = at;
      }
      const auto use = [&](ValueId id) {
        if (home_[id] != kNowhere && home_[id] != at) is_used_behind_[home_[id]] = true;
      };
      for (const ValueId id : block.body) {
        home_[id] = at;
        ir::for_each_operand(function_.values[id], use);
      }
      ir::for_each_terminator_operand(block.terminator, use);
    }
  }

  static void fold_same_edges(ir::Terminator& end) {
    if (end.end == End::kBranch && end.edges[0].to == end.edges[1].to &&
        end.edges[0].arguments == end.edges[1].arguments) {
      ir::Edge taken = std::move(end.edges[0]);
      end = {.end = End::kJump, .origin = end.origin};
      end.edges.push_back(std::move(taken));
    }
  }

  Key key_of(BlockId at) {
    const ir::Block& block = function_.blocks[at];
    // What the block defines is named by its place in it, with the top bit set.
    std::uint32_t next = 0x80000000;
    for (const ValueId id : block.parameters) {
      place_of(id) = next++;
    }
    Key key = {static_cast<std::uint32_t>(block.parameters.size()),
               static_cast<std::uint32_t>(block.body.size())};
    const auto operand = [&](ValueId id) {
      const bool local = id != kNoValue && home_[id] == at;
      key.push_back(local ? place_of(id) : id);
    };
    for (const ValueId id : block.body) {
      const ir::Value& value = function_.values[id];
      key.push_back(static_cast<std::uint32_t>(value.op) << 8 | value.width);
      key.push_back(value.k);
      operand(value.a);
      operand(value.b);
      place_of(id) = next++;
    }
    const ir::Terminator& end = block.terminator;
    key.push_back(static_cast<std::uint32_t>(end.end) << 8 |
                  static_cast<std::uint32_t>(end.compare));
    operand(end.a);
    operand(end.b);
    for (const ir::Edge& edge : end.edges) {
      key.push_back(edge.to);
      for (const ValueId argument : edge.arguments) {
        operand(argument);
      }
    }
    for (const ValueId word : end.state) {
      operand(word);
    }
    for (const ir::Case& each : end.cases) {
      key.insert(key.end(), {each.low, each.high, each.edge});
    }
    return key;
  }
  std::uint32_t& place_of(ValueId id) {
    if (places_.size() < function_.values.size()) {
      places_.resize(function_.values.size());
    }
    return places_[id];
  }

  // ---- Blocks that do nothing ----

  void pass_bare_blocks() {
    for (std::size_t at = function_.blocks.size(); at-- > 0;) {
      ir::Terminator& end = function_.blocks[at].terminator;
      for (ir::Edge& edge : end.edges) {
        const ir::Block& to = function_.blocks[edge.to];
        if (is_bare(to) && to.terminator.end == End::kJump) {
          edge = ir::Edge(to.terminator.edges[0]);
        }
      }
      fold_same_edges(end);
      if (end.end == End::kJump) {
        const ir::Block& to = function_.blocks[end.edges[0].to];
        if (is_bare(to) && to.terminator.edges.empty()) {
          end = ir::Terminator(to.terminator);
        }
      }
    }
  }

  // ---- Straight lines ----

  void join_lines() {
    const ir::Predecessors predecessors(function_);
    ir::Replacements replacements(function_);
    // From the end, so that what is taken in is whole already.
    for (std::size_t at = function_.blocks.size(); at-- > 0;) {
      ir::Block& block = function_.blocks[at];
      if (block.terminator.end != End::kJump ||
          predecessors.of(block.terminator.edges[0].to).size() != 1) {
        continue;
      }
      const ir::Edge edge = std::move(block.terminator.edges[0]);
      ir::Block& next = function_.blocks[edge.to];
      for (std::size_t i = 0; i < edge.arguments.size(); ++i) {
        replacements.replace(next.parameters[i], edge.arguments[i]);
      }
      block.body.insert(block.body.end(), next.body.begin(), next.body.end());
      block.terminator = std::move(next.terminator);
      next = {};
    }
    replacements.apply(function_);
  }

  static constexpr BlockId kNowhere = 0xffffffff;

  ir::Function& function_;
  std::vector<bool> is_used_behind_;  // By block.
  std::vector<BlockId> home_;         // By value: the block that defines it.
  std::vector<std::uint32_t> places_;
};

}  // namespace

void merge_blocks(ir::Function& function) { Merger(function).run(); }

}  // namespace weir::opt
