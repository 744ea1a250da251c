#include "translator/ir/build/join.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "translator/ir/builder.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/graph.h"
#include "translator/ir/operands.h"
#include "translator/ir/rewrite.h"

namespace weir::ir {
namespace {

// A frame of Ethernet has no fewer bytes without its checksum.
constexpr std::uint32_t kLeastFrame = 60;

bool is_fixed_need(const Value& value) { return value.op == Op::kNeed && value.a == kNoValue; }

// The bytes that the filters' first blocks ask for, those asked for beyond every frame aside.
std::uint32_t bytes_asked_first(std::span<const Function> filters) {
  std::uint32_t bytes = 0;
  for (const Function& filter : filters) {
    for (const ValueId id : filter.blocks.front().body) {
      const Value& value = filter.values[id];
      if (is_fixed_need(value) && value.k <= kLeastFrame) {
        bytes = std::max(bytes, value.k);
      }
    }
  }
  return bytes;
}

// Puts the blocks of one filter behind those of the function. Every block of it becomes one block
// and one more for each need and guard that is left in it, as a branch, and for the acceptance of a
// result that is no constant.
class Copy {
 public:
  // `has` bytes are captured of every packet that comes here.
  Copy(FunctionBuilder& builder, const Function& filter, std::size_t number, JoinedResult result,
       std::uint32_t has)
      : builder_(builder),
        filter_(filter),
        number_(static_cast<std::uint32_t>(number)),
        result_(result),
        has_(has),
        values_(filter.values.size(), kNoValue) {}

  // The copy begins at the block `entry`, the last there is, with `mask`, the bits of the filters
  // before it. Gives the block behind it, new, without parameters of its own yet.
  BlockId append(BlockId entry, ValueId mask) {
    mask_ = mask;
    plan_blocks(entry);
    copy_sets();
    for (const Block& block : filter_.blocks) {
      copy_block(block);
    }
    return next_;
  }

 private:
  bool stays(const Value& value) const {
    return is_effect(value.op) && !(is_fixed_need(value) && value.k <= has_);
  }

  bool returns_unknown(const Block& block) const {
    return block.terminator.end == End::kReturn &&
           filter_.values[block.terminator.a].op != Op::kConstant;
  }

  // Which blocks of the function stand for those of the filter, and makes them.
  void plan_blocks(BlockId entry) {
    BlockId at = entry;
    for (const Block& block : filter_.blocks) {
      blocks_.push_back(at);
      at += 1 + static_cast<BlockId>(
                    std::count_if(block.body.begin(), block.body.end(),
                                  [this](ValueId id) { return stays(filter_.values[id]); }));
      at += returns_unknown(block) ? 1 : 0;
    }
    next_ = at;
    while (builder_.function().blocks.size() <= next_) {
      builder_.add_block();
    }
  }

  void copy_sets() {
    auto& sets = builder_.function().sets;
    first_set_ = static_cast<std::uint32_t>(sets.size());
    sets.insert(sets.end(), filter_.sets.begin(), filter_.sets.end());
  }

  ValueId value(ValueId id) {
    if (id == kNoValue) {
      return kNoValue;
    }
    const Value& old = filter_.values[id];
    return old.op == Op::kConstant ? builder_.constant(old.k) : values_[id];
  }

  Edge edge(const Edge& old) {
    Edge copied{.to = blocks_[old.to], .arguments = {}};
    for (const ValueId argument : old.arguments) {
      copied.arguments.push_back(value(argument));
    }
    return copied;
  }

  // On to the next filter, with this one's answer.
  Edge on(BlockId from, bool accepts) {
    if (result_ == JoinedResult::kFirst) {
      return {.to = next_, .arguments = {}};
    }
    const ValueId mask = accepts
                             ? builder_.arithmetic(from, Op::kOr, mask_,
                                                   builder_.constant(std::uint32_t{1} << number_))
                             : mask_;
    return {.to = next_, .arguments = {mask}};
  }

  void accept(BlockId block) {
    if (result_ == JoinedResult::kFirst) {
      builder_.end_return(block, builder_.constant(number_ + 1));
    } else {
      builder_.end_jump(block, on(block, true));
    }
  }

  void copy_block(const Block& block) {
    BlockId at = blocks_[static_cast<std::size_t>(&block - filter_.blocks.data())];
    for (const ValueId parameter : block.parameters) {
      values_[parameter] = builder_.add_parameter(at);
    }
    for (const ValueId id : block.body) {
      Value copied = filter_.values[id];
      copied.a = value(copied.a);
      copied.b = value(copied.b);
      if (!is_effect(copied.op)) {
        copied.k += copied.op == Op::kIn ? first_set_ : 0;
        values_[id] = builder_.append(at, copied);
      } else if (stays(filter_.values[id])) {
        const ValueId asked =
            copied.op == Op::kGuard
                ? copied.a
                : builder_.append(at, {.op = Op::kHas, .k = copied.k, .a = copied.a});
        builder_.end_branch(at, Compare::kNe, asked, builder_.constant(0),
                            {.to = at + 1, .arguments = {}}, on(at, false));
        // It holds there; what stands behind it stays behind it.
        builder_.append(at + 1, copied);
        ++at;
      }
    }
    end(block.terminator, at);
  }

  void end(const Terminator& old, BlockId at) {
    if (old.end != End::kReturn) {
      Terminator copied = old;
      copied.a = value(old.a);
      copied.b = value(old.b);
      copied.edges.clear();
      for (const Edge& each : old.edges) {
        copied.edges.push_back(edge(each));
      }
      builder_.function().blocks[at].terminator = std::move(copied);
      return;
    }
    const Value& result = filter_.values[old.a];
    if (result.op != Op::kConstant) {
      builder_.end_branch(at, Compare::kNe, value(old.a), builder_.constant(0),
                          {.to = at + 1, .arguments = {}}, on(at, false));
      accept(at + 1);
    } else if (result.k != 0) {
      accept(at);
    } else {
      builder_.end_jump(at, on(at, false));
    }
  }

  FunctionBuilder& builder_;
  const Function& filter_;
  std::uint32_t number_;
  JoinedResult result_;
  std::uint32_t has_;
  ValueId mask_ = kNoValue;
  std::vector<ValueId> values_;  // By the filter's ids; constants are looked up.
  std::vector<BlockId> blocks_;
  BlockId next_ = 0;
  std::uint32_t first_set_ = 0;
};

// All filters, from the block `entry`, the last there is, for packets of at least `has` bytes. The
// function ends in the last block then.
void append_all(FunctionBuilder& builder, std::span<const Function> filters, JoinedResult result,
                BlockId entry, std::uint32_t has) {
  ValueId mask = builder.constant(0);
  for (std::size_t i = 0; i < filters.size(); ++i) {
    entry = Copy(builder, filters[i], i, result, has).append(entry, mask);
    if (result == JoinedResult::kEvery) {
      mask = builder.add_parameter(entry);
    }
  }
  builder.end_return(entry, mask);
}

}  // namespace

Function join(std::span<const Function> filters, JoinedResult result) {
  Function function;
  function.link_type = filters.front().link_type;
  FunctionBuilder builder(function);
  const BlockId entry = builder.add_block();
  const std::uint32_t asked = bytes_asked_first(filters);
  if (asked == 0) {
    append_all(builder, filters, result, entry, 0);
    return function;
  }
  const BlockId enough = builder.add_block();
  builder.need(enough, kNoValue, asked);
  append_all(builder, filters, result, enough, asked);
  const BlockId shorter = builder.add_block();
  append_all(builder, filters, result, shorter, 0);
  const ValueId has = builder.append(entry, {.op = Op::kHas, .k = asked});
  builder.end_branch(entry, Compare::kNe, has, builder.constant(0), {.to = enough, .arguments = {}},
                     {.to = shorter, .arguments = {}});
  return function;
}

void ask_where_needed(Function& function) {
  const Predecessors predecessors(function);
  std::vector<bool> dropped(function.values.size());
  for (std::size_t id = 0; id < function.values.size(); ++id) {
    dropped[id] = function.values[id].op == Op::kHas;
  }
  for (Block& block : function.blocks) {
    Terminator& end = block.terminator;
    if (end.end != End::kBranch || function.values[end.a].op != Op::kHas) {
      continue;
    }
    const Value asked = function.values[end.a];
    const BlockId enough = end.edges[evaluate_compare(end.compare, 1, 0) ? 0 : 1].to;
    if (predecessors.of(enough).size() == 1) {
      for (const ValueId id : function.blocks[enough].body) {
        const Value& need = function.values[id];
        dropped[id] =
            dropped[id] || (need.op == Op::kNeed && need.a == asked.a && need.k <= asked.k);
      }
    }
    end.a = static_cast<ValueId>(function.values.size());
    function.values.push_back(asked);
    block.body.push_back(end.a);
  }
  remove_values(function, dropped);
  compact(function);
}

}  // namespace weir::ir
