#include "translator/opt/analysis/rewrite_values.h"

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/builder.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/graph.h"
#include "translator/ir/rewrite.h"

namespace weir::opt {
namespace {

using ir::BlockId;
using ir::kNoValue;
using ir::Op;
using ir::ValueId;

class Renumberer {
 public:
  Renumberer(ir::Function& function, ValueClasses& expressions)
      : function_(function), expressions_(expressions), builder_(function) {}

  void run() {
    ir::remove_unreachable_blocks(function_);
    const std::vector<std::vector<BlockId>> children = dominator_tree();
    // The blocks of the tree, depth first; each comes back once more to take out what it brought.
    std::vector<std::pair<BlockId, bool>> todo = {{0, false}};
    std::vector<std::size_t> marks;
    while (!todo.empty()) {
      const auto [block, leaving] = todo.back();
      todo.pop_back();
      if (leaving) {
        forget(marks.back());
        marks.pop_back();
        continue;
      }
      marks.push_back(brought_.size());
      todo.emplace_back(block, true);
      visit(block);
      for (const BlockId child : children[block]) {
        todo.emplace_back(child, false);
      }
    }
    ir::remove_unreachable_blocks(function_);
  }

 private:
  std::vector<std::vector<BlockId>> dominator_tree() const {
    const ir::Predecessors predecessors(function_);
    const ir::Dominators dominators(predecessors, function_.blocks.size());
    std::vector<std::vector<BlockId>> children(function_.blocks.size());
    for (BlockId block = 1; block < function_.blocks.size(); ++block) {
      children[dominators.immediate(block)].push_back(block);
    }
    return children;
  }

  void bring(ClassId c, ValueId id) {
    if (available_.size() <= c) {
      available_.resize(expressions_.size() + 1, kNoValue);
    }
    brought_.emplace_back(c, available_[c]);
    available_[c] = id;
  }
  void forget(std::size_t mark) {
    for (; brought_.size() > mark; brought_.pop_back()) {
      available_[brought_.back().first] = brought_.back().second;
    }
  }
  ValueId available(ClassId c) const { return c < available_.size() ? available_[c] : kNoValue; }

  void visit(BlockId block) {
    for (const ValueId id : function_.blocks[block].parameters) {
      bring(expressions_.of(id), id);
    }
    const std::vector<ValueId> old = std::exchange(function_.blocks[block].body, {});
    body_ = &function_.blocks[block].body;
    for (const ValueId id : old) {
      const bool goes_on = ir::is_effect(function_.values[id].op) ? keep_effect(id) : keep(id);
      if (!goes_on) {
        function_.blocks[block].terminator = {.end = ir::End::kReturn,
                                              .a = builder_.constant(0),
                                              .origin = function_.values[id].origin};
        return;
      }
    }
    end(function_.blocks[block].terminator);
  }

  bool keep(ValueId id) {
    const ClassId c = expressions_.of(id);
    if (!expressions_.number(c) && available(c) == kNoValue) {
      write(c, id);
    }
    return true;
  }

  // False when the filter ends with 0 here.
  bool keep_effect(ValueId id) {
    ir::Value value = function_.values[id];
    value.a = value.a == kNoValue ? kNoClass : expressions_.of(value.a);
    if (value.op == Op::kGuard) {
      if (const auto k = expressions_.number(value.a)) {
        return *k != 0;
      }
    } else {
      if (!expressions_.normalise_place(value)) {
        return false;
      }
      if (value.a == kNoClass && value.k == 0) {
        return true;
      }
    }
    const ValueId base = value.a == kNoClass ? kNoValue : use(value.a);
    function_.values[id].a = base;
    function_.values[id].k = value.k;
    body_->push_back(id);
    return true;
  }

  void end(ir::Terminator& end) {
    if (end.end == ir::End::kBranch) {
      branch(end);
    } else if (end.a != kNoValue) {
      end.a = use(expressions_.of(end.a));
    }
    for (ir::Edge& edge : end.edges) {
      for (ValueId& argument : edge.arguments) {
        argument = use(expressions_.of(argument));
      }
    }
    for (ValueId& word : end.state) {
      word = use(expressions_.of(word));
    }
  }

  // The compares that are left are eq, gt, ge and set; the others exchange the edges.
  void branch(ir::Terminator& end) {
    Comparison c{end.compare, expressions_.of(end.a), expressions_.of(end.b)};
    c = expressions_.simplify(c);
    const auto holds = expressions_.decide(c);
    const bool same =
        end.edges[0].to == end.edges[1].to && end.edges[0].arguments == end.edges[1].arguments;
    if (holds || same) {
      ir::Edge taken = std::move(end.edges[holds.value_or(true) ? 0 : 1]);
      end = {.end = ir::End::kJump, .origin = end.origin};
      end.edges.push_back(std::move(taken));
      return;
    }
    if (c.compare == ir::Compare::kNe || c.compare == ir::Compare::kClear ||
        c.compare == ir::Compare::kLt || c.compare == ir::Compare::kLe) {
      c.compare = ir::negate(c.compare);
      std::swap(end.edges[0], end.edges[1]);
    }
    end.compare = c.compare;
    end.a = use(c.a);
    end.b = use(c.b);
  }

  ValueId use(ClassId c) {
    if (const auto k = expressions_.number(c)) {
      return builder_.constant(*k);
    }
    const ValueId there = available(c);
    return there != kNoValue ? there : write(c, builder_.add_value({}));
  }

  // Makes the class's value here, under the name `id`.
  ValueId write(ClassId c, ValueId id) {
    ir::Value value = expressions_.node(c);
    value.a = value.a == kNoClass ? kNoValue : use(value.a);
    value.b = value.b == kNoClass ? kNoValue : use(value.b);
    value.origin = function_.values[id].origin;
    function_.values[id] = value;
    expressions_.set(id, c);
    bring(c, id);
    body_->push_back(id);
    return id;
  }

  ir::Function& function_;
  ValueClasses& expressions_;
  ir::FunctionBuilder builder_;
  std::vector<ValueId> available_;  // By class: its value on every way to here.
  // What brought_ back restores, in order.
  std::vector<std::pair<ClassId, ValueId>> brought_;
  std::vector<ValueId>* body_ = nullptr;  // Of the block that is being written.
};

}  // namespace

void rewrite_values(ir::Function& function, ValueClasses& expressions) {
  Renumberer(function, expressions).run();
}

}  // namespace weir::opt
