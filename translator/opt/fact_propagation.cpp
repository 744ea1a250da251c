#include "translator/opt/fact_propagation.h"

#include <algorithm>
#include <utility>

#include "translator/opt/analysis/rewrite_values.h"
#include "translator/opt/passes.h"

namespace weir::opt {

using ir::BlockId;
using ir::kNoValue;
using ir::Op;
using ir::ValueId;

FactPropagation::FactPropagation(ir::Function& function)
    : function_(function),
      expressions_(function),
      facts_(expressions_),
      builder_(function),
      states_(function.blocks.size()),
      known_(function.blocks.size()),
      reached_(function.blocks.size()) {}

void FactPropagation::run() {
  reached_[0] = true;
  for (BlockId at = 0; at < function_.blocks.size(); ++at) {
    if (reached_[at]) {
      visit(at);
    }
  }
  rewrite_values(function_, expressions_);
  dead_code(function_);
}

void FactPropagation::visit(BlockId at) {
  FactState state = states_[at];
  for (const ValueId id : function_.blocks[at].body) {
    const ir::Value value = function_.values[id];  // A new constant may move the values.
    if (ir::is_effect(value.op)) {
      known_[at].add(value);
    }
    if (value.op == Op::kGuard &&
        !facts_.assume(
            state, {ir::Compare::kNe, expressions_.of(value.a), expressions_.constant(0)}, true)) {
      function_.blocks[at].terminator = {
          .end = ir::End::kReturn, .a = builder_.constant(0), .origin = value.origin};
      expressions_.set(function_.blocks[at].terminator.a, expressions_.constant(0));
      return;
    }
  }
  ir::Terminator& end = function_.blocks[at].terminator;
  switch (end.end) {
    case ir::End::kReturn:
      make_constant(state, end.a);
      return;
    case ir::End::kRepeat:
      for (ValueId& word : end.state) {
        make_constant(state, word);
      }
      return;
    case ir::End::kJump:
      follow(at, 0, state);
      return;
    case ir::End::kBranch:
      visit_branch(at, state);
      return;
    case ir::End::kSwitch:
      visit_switch(at, state);
      return;
  }
}

Comparison FactPropagation::comparison(const ir::Terminator& end) {
  return expressions_.simplify({end.compare, expressions_.of(end.a), expressions_.of(end.b)});
}

void FactPropagation::visit_branch(BlockId at, FactState state) {
  const Comparison c = comparison(function_.blocks[at].terminator);
  FactState yes = state;
  FactState no = state;
  if (!facts_.assume(yes, c, true)) {
    follow_only(at, 1, no);
  } else if (!facts_.assume(no, c, false)) {
    follow_only(at, 0, yes);
  } else if (const std::uint32_t only =
                 needless(function_.blocks[at].terminator, yes, no, known_[at]);
             only != kNone) {
    follow_only(at, only, state);
  } else {
    follow(at, 0, yes);
    follow(at, 1, no);
  }
}

std::uint32_t FactPropagation::decided_switch(const ir::Terminator& end, const Fact& fact) const {
  // The ranges that what is known overlaps; between them lies the way of edge 0.
  std::uint32_t only = kNone;
  std::uint64_t next = fact.low;
  for (const ir::Case& each : end.cases) {
    if (each.high < fact.low || each.low > fact.high) {
      continue;
    }
    const bool gap = each.low > next;
    if ((gap && each.edge != 0) || (only != kNone && only != each.edge)) {
      return kNone;
    }
    only = each.edge;
    next = std::uint64_t{each.high} + 1;
  }
  if (next <= fact.high) {
    return only == kNone || only == 0 ? 0 : kNone;
  }
  return only;
}

void FactPropagation::visit_switch(BlockId at, FactState state) {
  const ir::Terminator& end = function_.blocks[at].terminator;
  const ClassId value = expressions_.of(end.a);
  const std::uint32_t only = decided_switch(end, facts_.fact(state, value));
  if (only != kNone) {
    follow_only(at, only, state);
    return;
  }
  // What each edge says of the value: the hull of its ranges; of edge 0, the numbers it has not.
  std::vector<Fact> facts(end.edges.size(), Fact{.low = 0xffffffff, .high = 0});
  facts[0] = {};
  for (const ir::Case& each : end.cases) {
    if (each.edge != 0) {
      facts[each.edge].low = std::min(facts[each.edge].low, each.low);
      facts[each.edge].high = std::max(facts[each.edge].high, each.high);
      if (each.low == each.high) facts[0].assume(ir::Compare::kNe, each.low);
    }
  }
  const std::size_t edges = end.edges.size();
  for (std::uint32_t edge = 0; edge < edges; ++edge) {
    FactState there = state;
    if (facts[edge].low <= facts[edge].high) {
      facts_.assume(there, value, facts[edge]);
    }
    follow(at, edge, there);
  }
}

// The terminator becomes a jump.
void FactPropagation::follow_only(BlockId at, std::uint32_t edge, FactState state) {
  ir::Terminator& end = function_.blocks[at].terminator;
  ir::Edge taken = std::move(end.edges[edge]);
  end = {.end = ir::End::kJump, .origin = end.origin};
  end.edges.push_back(std::move(taken));
  follow(at, 0, state);
}

void FactPropagation::follow(BlockId at, std::uint32_t edge, FactState state) {
  ir::Edge to = std::move(function_.blocks[at].terminator.edges[edge]);
  redirect(to, state, known_[at]);
  const std::vector<ValueId>& parameters = function_.blocks[to.to].parameters;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Fact fact = facts_.fact(state, expressions_.of(to.arguments[i]));
    make_constant(state, to.arguments[i]);
    facts_.assume(state, expressions_.of(parameters[i]), fact);
  }
  if (reached_[to.to]) {
    states_[to.to] = facts_.meet(states_[to.to], state);
    known_[to.to].meet(known_[at]);
  } else {
    states_[to.to] = state;
    known_[to.to] = known_[at];
    reached_[to.to] = true;
  }
  function_.blocks[at].terminator.edges[edge] = std::move(to);
}

void FactPropagation::make_constant(FactState state, ValueId& id) {
  if (const auto k = facts_.fact(state, expressions_.of(id)).number()) {
    id = builder_.constant(*k);
    expressions_.set(id, expressions_.constant(*k));
  }
}

}  // namespace weir::opt
