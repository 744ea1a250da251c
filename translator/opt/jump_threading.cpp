// Jump threading: redirects an edge past blocks whose terminator is decided on that edge, though
// not on every path into them. Where `tcp` and then `port 80` each test the EtherType, the second
// test is skipped on the path from each outcome of the first. Facts travel as in
// fold_implied_branches; what the skipped block would have computed is computed again where it is
// used, which is always possible because values are pure, and cheap because most of it is available
// there.
//
// A test whose other side would reach the same block one step later is dropped too.
//
// Sound for a block whose bounds checks and zero checks are known to pass on the edge, whose
// parameters no later block uses but through edges, and where no later bounds check or load has an
// offset that the block computes: computed again, that offset would be a different value from the
// one that is checked, and the lowering matches loads to checks by value. Price: that of the facts,
// and the skipped blocks, at most kMaxSteps for each block of the function.
// Test: tests/translator/opt/jump_threading_test.cpp.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "translator/ir/rewrite.h"
#include "translator/opt/fact_propagation.h"
#include "translator/opt/passes.h"

namespace weir::opt {
namespace {

using ir::BlockId;
using ir::kNoValue;
using ir::Op;
using ir::ValueId;

constexpr std::size_t kMaxSteps = 32;
constexpr int kMaxDepth = 6;

class Threader final : public FactPropagation {
 public:
  explicit Threader(ir::Function& function)
      : FactPropagation(function),
        passable_(function.blocks.size(), true),
        home_(expressions_.size(), kNowhere),
        seen_(expressions_.size(), kNowhere),
        too_deep_(expressions_.fresh(Op::kParameter)),
        steps_(kMaxSteps * function.blocks.size()) {
    find_passable();
  }

 private:
  // No block, and more than one block.
  static constexpr BlockId kNowhere = 0xffffffff;
  static constexpr BlockId kElsewhere = 0xfffffffe;

  // Finds blocks that must be gone through because of what they define.
  void find_passable() {
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      for (const ValueId id : function_.blocks[at].parameters) {
        home_[expressions_.of(id)] = at;
      }
    }
    std::vector<BlockId> made_in(function_.values.size(), kNowhere);
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      for (const ValueId id : function_.blocks[at].body) {
        made_in[id] = at;
      }
    }
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      const ir::Block& block = function_.blocks[at];
      for (const ValueId id : block.body) {
        const ir::Value& value = function_.values[id];
        if (is_random(value)) {
          passable_[at] = false;
        }
        const bool placed = value.op == Op::kLoad || value.op == Op::kNeed;
        if (placed && value.a != kNoValue && made_in[value.a] != at &&
            made_in[value.a] != kNowhere) {
          passable_[made_in[value.a]] = false;
        }
        if (ir::is_effect(value.op)) {
          use(value.a, at);
        }
      }
      use(block.terminator.a, at);
      use(block.terminator.b, at);
      for (const ir::Edge& edge : block.terminator.edges) {
        for (const ValueId argument : edge.arguments) {
          use(argument, at);
        }
      }
      for (const ValueId word : block.terminator.state) {
        use(word, at);
      }
    }
  }

  void use(ValueId id, BlockId at) {
    if (id != kNoValue) {
      use_class(expressions_.of(id), at);
    }
  }

  // Every class is looked at in the first block that uses it, and once more for all others.
  void use_class(ClassId c, BlockId at) {
    std::vector<std::pair<ClassId, BlockId>> todo = {{c, at}};
    while (!todo.empty()) {
      std::tie(c, at) = todo.back();
      todo.pop_back();
      if (c == kNoClass || seen_[c] == at || seen_[c] == kElsewhere) {
        continue;
      }
      at = seen_[c] == kNowhere ? at : kElsewhere;
      seen_[c] = at;
      const ir::Value& value = expressions_.node(c);
      if (home_[c] != kNowhere && home_[c] != at) {
        passable_[home_[c]] = false;
      }
      todo.emplace_back(value.a, at);
      todo.emplace_back(value.b, at);
    }
  }

  void redirect(ir::Edge& edge, FactState& state, const CheckedBytes& known) override {
    while (steps_ > 0) {
      const std::optional<std::uint32_t> way = way_through(edge, state, known);
      if (!way) {
        return;
      }
      --steps_;
      const ir::Edge& next = function_.blocks[edge.to].terminator.edges[*way];
      if (is_too_deep(edge, next)) {
        return;
      }
      std::vector<ValueId> arguments;
      for (const ValueId argument : next.arguments) {
        arguments.push_back(value_on(edge, argument));
      }
      edge = {next.to, std::move(arguments)};
    }
  }

  // A test says nothing when the block behind its other side would send what holds here to where it
  // goes from here: `x = 5 or x & 1 = 1`.
  std::uint32_t needless(const ir::Terminator& end, FactState yes, FactState no,
                         const CheckedBytes& known) override {
    return leads_to(end.edges[1], end.edges[0], yes, known)  ? 1
           : leads_to(end.edges[0], end.edges[1], no, known) ? 0
                                                             : kNone;
  }

  bool leads_to(const ir::Edge& edge, const ir::Edge& target, const FactState& state,
                const CheckedBytes& known) {
    const std::optional<std::uint32_t> way = way_through(edge, state, known);
    if (!way) {
      return false;
    }
    const ir::Edge& next = function_.blocks[edge.to].terminator.edges[*way];
    if (next.to != target.to) {
      return false;
    }
    for (std::size_t i = 0; i < next.arguments.size(); ++i) {
      if (on_edge(edge, expressions_.of(next.arguments[i])) !=
          expressions_.of(target.arguments[i])) {
        return false;
      }
    }
    return true;
  }

  // The edge by which what comes in by `edge` leaves that block again, if it can pass.
  std::optional<std::uint32_t> way_through(const ir::Edge& edge, FactState state,
                                           const CheckedBytes& known) {
    const ir::Block& block = function_.blocks[edge.to];
    const ir::Terminator& end = block.terminator;
    if (!passable_[edge.to] || end.edges.empty()) {
      return std::nullopt;
    }
    for (const ValueId id : block.body) {
      ir::Value effect = function_.values[id];
      if (ir::is_effect(effect.op)) {
        effect.a = argument_for(edge, effect.a);
        if (!known.covers(effect)) {
          return std::nullopt;
        }
      }
    }
    if (end.end == ir::End::kJump) {
      return 0;
    }
    if (end.end == ir::End::kSwitch) {
      const std::uint32_t only =
          decided_switch(end, facts_.fact(state, on_edge(edge, expressions_.of(end.a))));
      return only == kNone ? std::nullopt : std::optional(only);
    }
    const Comparison c = expressions_.simplify({end.compare, on_edge(edge, expressions_.of(end.a)),
                                                on_edge(edge, expressions_.of(end.b))});
    const auto holds = facts_.decide(state, c);
    return holds ? std::optional<std::uint32_t>(*holds ? 0 : 1) : std::nullopt;
  }

  // What comes along the edge for a parameter of its block; other values as they are.
  ValueId argument_for(const ir::Edge& edge, ValueId id) const {
    const std::vector<ValueId>& parameters = function_.blocks[edge.to].parameters;
    const auto found = std::find(parameters.begin(), parameters.end(), id);
    return found == parameters.end()
               ? id
               : edge.arguments[static_cast<std::size_t>(found - parameters.begin())];
  }

  // Whether an argument that the block hands on cannot be named on the edge.
  bool is_too_deep(const ir::Edge& edge, const ir::Edge& next) {
    return std::any_of(next.arguments.begin(), next.arguments.end(),
                       [&](ValueId id) { return on_edge(edge, expressions_.of(id)) == too_deep_; });
  }

  // A class as it is when the block of the edge is entered by it.
  // Past kMaxDepth operands down, it is a class of which nothing is known.
  ClassId on_edge(const ir::Edge& edge, ClassId c, int depth = 0) {
    if (function_.blocks[edge.to].parameters.empty() || c == kNoClass) {
      return c;
    }
    if (depth == kMaxDepth) {
      return too_deep_;
    }
    const ir::Value value = expressions_.node(c);
    if (value.op == Op::kParameter) {
      const std::vector<ValueId>& parameters = function_.blocks[edge.to].parameters;
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (expressions_.of(parameters[i]) == c) return expressions_.of(edge.arguments[i]);
      }
      return c;
    }
    ir::Value there = value;
    there.a = on_edge(edge, value.a, depth + 1);
    there.b = on_edge(edge, value.b, depth + 1);
    if (there.a == too_deep_ || there.b == too_deep_) {
      return too_deep_;
    }
    return there.a == value.a && there.b == value.b ? c : expressions_.intern(there);
  }

  ValueId value_on(const ir::Edge& edge, ValueId id) {
    const ClassId before = expressions_.of(id);
    const ClassId c = on_edge(edge, before);
    if (c == before) {
      return id;
    }
    const ValueId argument = argument_for(edge, id);
    if (argument != id) {
      return argument;
    }
    const ValueId made = builder_.add_value({.op = Op::kLength});
    expressions_.set(made, c);  // Writing the function anew makes of it what its class says.
    return made;
  }

  std::vector<bool> passable_;  // By block.
  std::vector<BlockId> home_;   // By class: the block whose parameter it is.
  std::vector<BlockId> seen_;   // By class: where it is used.
  ClassId too_deep_;
  std::size_t steps_;
};

}  // namespace

void jump_threading(ir::Function& function) {
  ir::remove_unreachable_blocks(function);
  Threader(function).run();
}

}  // namespace weir::opt
