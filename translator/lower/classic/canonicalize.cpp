#include "translator/lower/classic/canonicalize.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <unordered_map>
#include <utility>

#include "cbpf/instruction.h"
#include "translator/ir/operands.h"

namespace weir::lower::classic {
namespace {

using ir::kNoValue;
using ir::Op;
using ir::Value;
using ir::ValueId;

bool is_commutative(Op op) {
  return op == Op::kAdd || op == Op::kMul || op == Op::kAnd || op == Op::kOr || op == Op::kXor;
}

// Whether two of them are the same whenever they are read.
bool is_fixed(const Value& value) {
  return !ir::is_effect(value.op) && value.op != Op::kParameter &&
         !(value.op == Op::kAncillary &&
           value.k == static_cast<std::uint32_t>(cbpf::Extension::kRandom));
}

struct Key {
  Value value;
  bool operator==(const Key& other) const {
    return value.op == other.value.op && value.width == other.value.width &&
           value.k == other.value.k && value.a == other.value.a && value.b == other.value.b;
  }
};

struct Hash {
  std::size_t operator()(const Key& key) const {
    std::uint64_t hash = static_cast<std::uint64_t>(key.value.op) << 8 | key.value.width;
    for (const std::uint32_t part : {key.value.k, key.value.a, key.value.b}) {
      hash = (hash ^ part) * 0x9e3779b97f4a7c15ULL;
      hash ^= hash >> 29;
    }
    return hash;
  }
};

bool is_constant(const ir::Function& function, ValueId id) {
  return id != kNoValue && function.values[id].op == Op::kConstant;
}

// The form of a value in which equals look equal.
void normalise(const ir::Function& function, Value& value) {
  if (is_commutative(value.op)) {
    const bool swap = is_constant(function, value.a) != is_constant(function, value.b)
                          ? is_constant(function, value.a)
                          : value.a > value.b;
    if (swap) {
      std::swap(value.a, value.b);
    }
  }
  if ((value.op == Op::kLoad || value.op == Op::kNeed) && is_constant(function, value.a) &&
      std::uint64_t{value.k} + function.values[value.a].k <= 0x7fffffff) {
    value.k += function.values[value.a].k;
    value.a = kNoValue;
  }
}

}  // namespace

void make_canonical(ir::Function& function) {
  std::unordered_map<Key, ValueId, Hash> first;
  std::vector<ValueId> by(function.values.size());
  for (ValueId id = 0; id < by.size(); ++id) {
    by[id] = id;
    if (function.values[id].op == Op::kConstant) {
      by[id] = first.try_emplace(Key{function.values[id]}, id).first->second;
    }
  }
  for (ir::Block& block : function.blocks) {
    for (const ValueId id : block.body) {
      Value& value = function.values[id];
      ir::for_each_operand(value, [&by](ValueId& operand) { operand = by[operand]; });
      normalise(function, value);
      if (is_fixed(value)) {
        by[id] = first.try_emplace(Key{value}, id).first->second;
      }
    }
    ir::for_each_terminator_operand(block.terminator,
                                    [&by](ValueId& operand) { operand = by[operand]; });
  }
}

std::optional<std::uint32_t> header_length_offset(const ir::Function& function, ValueId id) {
  const auto number = [&](ValueId operand) {
    return is_constant(function, operand) ? std::optional(function.values[operand].k)
                                          : std::nullopt;
  };
  const auto byte = [&](ValueId operand) -> std::optional<std::uint32_t> {
    const Value& load = function.values[operand];
    if (load.op != Op::kLoad || load.width != 1 || load.a != kNoValue) {
      return std::nullopt;
    }
    return load.k;
  };
  const auto is = [&](const Value& value, Op op, std::uint32_t k) {
    return value.op == op && number(value.b) == k;
  };
  const Value& outer = function.values[id];
  if (outer.a == kNoValue || outer.b == kNoValue) {
    return std::nullopt;
  }
  const Value& inner = function.values[outer.a];
  const auto times_four = [&](const Value& value) {
    return is(value, Op::kShl, 2) || is(value, Op::kShlModulo, 2) || is(value, Op::kMul, 4);
  };
  if ((times_four(outer) && is(inner, Op::kAnd, 0xf)) ||
      (is(outer, Op::kAnd, 0x3c) && times_four(inner))) {
    return byte(inner.a);
  }
  return std::nullopt;
}

std::vector<std::uint32_t> costs(const ir::Function& function) {
  std::vector<std::uint32_t> cost(function.values.size(), 1);
  for (const ir::Block& block : function.blocks) {
    for (const ValueId id : block.body) {
      const Value& value = function.values[id];
      if (header_length_offset(function, id)) {
        cost[id] = 2;
      } else if (value.op == Op::kLoad && value.a != kNoValue) {
        cost[id] = header_length_offset(function, value.a) ? 2 : cost[value.a] + 2;
      } else if (ir::is_arithmetic(value.op)) {
        const bool both = value.b != kNoValue && !is_constant(function, value.b);
        cost[id] = cost[value.a] + 1 + (both ? cost[value.b] + 1 : 0);
      }
      cost[id] = std::min(cost[id], kMaxCost);
    }
  }
  return cost;
}

namespace {

// The blocks, as numbers in order, between which a value may be asked for, both included.
struct Span {
  std::uint32_t first = 0xffffffff;
  std::uint32_t last = 0;
  std::uint32_t uses = 0;
  void add(std::uint32_t block) {
    first = std::min(first, block);
    last = std::max(last, block);
  }
  void add(const Span& user) {
    if (user.first <= user.last) {
      first = std::min(first, user.first);
      last = std::max(last, user.last);
    }
  }
  bool overlaps(const Span& other) const { return first <= other.last && other.first <= last; }
};

// What is computed where it is used is asked for where its users are.
std::vector<Span> find_spans(const ir::Function& function) {
  std::vector<Span> spans(function.values.size());
  for (std::uint32_t at = static_cast<std::uint32_t>(function.blocks.size()); at-- > 0;) {
    const ir::Block& block = function.blocks[at];
    ir::for_each_terminator_operand(block.terminator, [&](const ValueId& id) {
      spans[id].add(at);
      ++spans[id].uses;
    });
    for (const ir::Edge& edge : block.terminator.edges) {
      for (const ValueId parameter : function.blocks[edge.to].parameters) {
        spans[parameter].add(at);  // It gets its value here.
      }
    }
    for (std::size_t i = block.body.size(); i-- > 0;) {
      const Value& value = function.values[block.body[i]];
      if (!is_fixed(value) && !ir::is_effect(value.op)) {
        spans[block.body[i]].add(at);
      }
      const Span user = spans[block.body[i]];
      ir::for_each_operand(value, [&](const ValueId& id) {
        if (ir::is_effect(value.op)) {
          spans[id].add(at);
        } else {
          spans[id].add(user);
          spans[id].uses += user.uses != 0 ? 1 : 0;
        }
      });
    }
  }
  return spans;
}

class Assignment {
 public:
  explicit Assignment(const ir::Function& function) : spans_(find_spans(function)) {
    slots_.of.assign(function.values.size(), kNoSlot);
    slots_.taken.assign(function.blocks.size(), 0);
  }

  const Span& span(ValueId id) const { return spans_[id]; }

  // The words left over below `limit`, the first of them.
  bool assign(ValueId id, std::uint8_t limit) {
    const Span& span = spans_[id];
    for (std::uint8_t slot = 0; slot < limit; ++slot) {
      if (std::none_of(holders_[slot].begin(), holders_[slot].end(),
                       [&](ValueId other) { return spans_[other].overlaps(span); })) {
        holders_[slot].push_back(id);
        slots_.of[id] = slot;
        for (std::uint32_t block = span.first; block <= span.last; ++block) {
          slots_.taken[block] |= static_cast<std::uint16_t>(1U << slot);
        }
        return true;
      }
    }
    return false;
  }

  Slots take() && { return std::move(slots_); }

 private:
  std::vector<Span> spans_;
  Slots slots_;
  std::array<std::vector<ValueId>, cbpf::kScratchWords> holders_;
};

// Some words are left for the results of an expression's parts.
constexpr std::uint8_t kSharedSlots = 12;
constexpr std::size_t kMostShared = 256;

std::vector<ValueId> worth_sharing(const ir::Function& function, const Assignment& assignment) {
  const std::vector<std::uint32_t> cost = costs(function);
  std::vector<ValueId> values;
  for (const ir::Block& block : function.blocks) {
    for (const ValueId id : block.body) {
      const Value& value = function.values[id];
      const std::uint32_t uses = assignment.span(id).uses;
      if (!ir::is_effect(value.op) && uses > 1 && cost[id] > 2) {
        values.push_back(id);
      }
    }
  }
  std::stable_sort(values.begin(), values.end(), [&](ValueId x, ValueId y) {
    return cost[x] * assignment.span(x).uses > cost[y] * assignment.span(y).uses;
  });
  values.resize(std::min(values.size(), kMostShared));
  return values;
}

}  // namespace

std::optional<Slots> assign_slots(const ir::Function& function, bool share) {
  Assignment assignment(function);
  for (const ir::Block& block : function.blocks) {
    for (const ValueId id : block.parameters) {
      if (!assignment.assign(id, cbpf::kScratchWords)) {
        return std::nullopt;
      }
    }
    // What is drawn anew at each reading is read once.
    for (const ValueId id : block.body) {
      const Value& value = function.values[id];
      if (value.op == Op::kAncillary && !is_fixed(value) &&
          !assignment.assign(id, cbpf::kScratchWords)) {
        return std::nullopt;
      }
    }
  }
  if (share) {
    for (const ValueId id : worth_sharing(function, assignment)) {
      assignment.assign(id, kSharedSlots);
    }
  }
  return std::move(assignment).take();
}

}  // namespace weir::lower::classic
