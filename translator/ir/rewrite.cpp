#include "translator/ir/rewrite.h"

#include <utility>

#include "translator/ir/operands.h"

namespace weir::ir {

std::vector<std::uint32_t> count_uses(const Function& function) {
  std::vector<std::uint32_t> uses(function.values.size());
  for_each_use(function, [&uses](ValueId id) { ++uses[id]; });
  return uses;
}

Replacements::Replacements(const Function& function) : by_(function.values.size()) {
  for (ValueId id = 0; id < by_.size(); ++id) {
    by_[id] = id;
  }
}

void Replacements::replace(ValueId old, ValueId by) {
  // Either may be younger than this table.
  while (by_.size() <= old || by_.size() <= by) {
    by_.push_back(static_cast<ValueId>(by_.size()));
  }
  by_[find(old)] = find(by);
  any_ = true;
}

ValueId Replacements::find(ValueId id) {
  if (id >= by_.size()) {
    return id;
  }
  while (by_[id] != id) {
    by_[id] = by_[by_[id]];  // Halves the path for the next one.
    id = by_[id];
  }
  return id;
}

void Replacements::apply(Function& function) {
  if (any_) {
    for_each_use(function, [this](ValueId& id) { id = find(id); });
  }
}

void remove_values(Function& function, const std::vector<bool>& dead) {
  const auto is_dead = [&dead](ValueId id) { return id < dead.size() && dead[id]; };
  // Arguments first, while the parameters they belong to still stand in their places.
  for (Block& block : function.blocks) {
    for (Edge& edge : block.terminator.edges) {
      const std::vector<ValueId>& parameters = function.blocks[edge.to].parameters;
      std::size_t kept = 0;
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (!is_dead(parameters[i])) {
          edge.arguments[kept++] = edge.arguments[i];
        }
      }
      edge.arguments.resize(kept);
    }
  }
  for (Block& block : function.blocks) {
    std::erase_if(block.parameters, is_dead);
    std::erase_if(block.body, is_dead);
  }
}

std::size_t remove_unreachable_blocks(Function& function) {
  std::vector<Block>& blocks = function.blocks;
  std::vector<bool> reached(blocks.size());
  std::vector<BlockId> number(blocks.size());
  reached[0] = true;
  BlockId kept = 0;
  for (BlockId i = 0; i < blocks.size(); ++i) {
    if (!reached[i]) {
      continue;
    }
    for (const Edge& edge : blocks[i].terminator.edges) {
      reached[edge.to] = true;
    }
    number[i] = kept;
    if (kept != i) {
      blocks[kept] = std::move(blocks[i]);
    }
    ++kept;
  }
  const std::size_t dropped = blocks.size() - kept;
  if (dropped != 0) {
    blocks.resize(kept);
    for (Block& block : blocks) {
      for (Edge& edge : block.terminator.edges) {
        edge.to = number[edge.to];
      }
    }
  }
  return dropped;
}

namespace {

// Keeps the sets that something asks for, in order of the first that does.
void compact_sets(Function& function) {
  std::vector<std::uint32_t> number(function.sets.size(), kNoValue);
  std::vector<Set> sets;
  for (const Block& block : function.blocks) {
    for (const ValueId id : block.body) {
      Value& value = function.values[id];
      if (value.op != Op::kIn) {
        continue;
      }
      if (number[value.k] == kNoValue) {
        number[value.k] = static_cast<std::uint32_t>(sets.size());
        sets.push_back(std::move(function.sets[value.k]));
      }
      value.k = number[value.k];
    }
  }
  function.sets = std::move(sets);
}

}  // namespace

void compact(Function& function) {
  std::vector<ValueId> number(function.values.size(), kNoValue);
  std::vector<Value> values;
  values.reserve(function.values.size());
  const auto keep = [&](ValueId& id) {
    if (number[id] == kNoValue) {
      number[id] = static_cast<ValueId>(values.size());
      values.push_back(function.values[id]);
    }
    id = number[id];
  };
  for (Block& block : function.blocks) {
    for (ValueId& id : block.parameters) {
      keep(id);
    }
    for (ValueId& id : block.body) {
      keep(id);
      // Through an index each time: keep() may move the values.
      const std::size_t at = id;
      ValueId a = values[at].a;
      ValueId b = values[at].b;
      if (a != kNoValue) keep(a);
      if (b != kNoValue) keep(b);
      values[at].a = a;
      values[at].b = b;
    }
    for_each_terminator_operand(block.terminator, keep);
  }
  function.values = std::move(values);
  compact_sets(function);
}

}  // namespace weir::ir
