#include "translator/opt/analysis/value_facts.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "translator/ir/evaluate.h"

namespace weir::opt {
namespace {

using ir::Compare;
using ir::Op;

constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();

// The bits above the highest one that a number up to `high` can have.
std::uint32_t zeros_above(std::uint32_t high) {
  return high == 0 ? kMax : ~(kMax >> std::countl_zero(high));
}

}  // namespace

bool Fact::has_hole(std::uint32_t k) const {
  return std::find(holes.begin(), holes.begin() + hole_count, k) != holes.begin() + hole_count;
}

std::optional<bool> Fact::decide(Compare compare, std::uint32_t k) const {
  const auto when = [](bool yes, bool no) {
    return yes ? std::optional(true) : no ? std::optional(false) : std::nullopt;
  };
  switch (compare) {
    case Compare::kEq:
      return when(low == k && high == k,
                  k < low || k > high || (k & zeros) != 0 || (~k & ones) != 0 || has_hole(k));
    case Compare::kGt:
      return when(low > k, high <= k);
    case Compare::kGe:
      return when(low >= k, high < k);
    case Compare::kSet:
      return when((k & ones) != 0 || (low > 0 && (~zeros & ~k) == 0), (k & ~zeros) == 0);
    case Compare::kNe:
    case Compare::kLe:
    case Compare::kLt:
    case Compare::kClear: {
      const auto opposite = decide(ir::negate(compare), k);
      return opposite ? std::optional(!*opposite) : std::nullopt;
    }
  }
  return std::nullopt;
}

bool Fact::assume(Compare compare, std::uint32_t k) {
  switch (compare) {
    case Compare::kEq:
      return assume(exactly(k));
    case Compare::kNe:
      if (low == k && high == k) return false;
      if (!has_hole(k) && hole_count < kMaxHoles) holes[hole_count++] = k;
      break;
    case Compare::kGt:
      if (k == kMax) return false;
      low = std::max(low, k + 1);
      break;
    case Compare::kGe:
      low = std::max(low, k);
      break;
    case Compare::kLt:
      if (k == 0) return false;
      high = std::min(high, k - 1);
      break;
    case Compare::kLe:
      high = std::min(high, k);
      break;
    case Compare::kSet: {
      const std::uint32_t open = k & ~zeros;
      if (open == 0) return false;
      if (std::has_single_bit(open)) ones |= open;
      low = std::max(low, std::uint32_t{1} << std::countr_zero(open));
      break;
    }
    case Compare::kClear:
      zeros |= k;
      break;
  }
  return settle();
}

bool Fact::assume(const Fact& other) {
  low = std::max(low, other.low);
  high = std::min(high, other.high);
  zeros |= other.zeros;
  ones |= other.ones;
  for (std::uint32_t i = 0; i < other.hole_count && hole_count < kMaxHoles; ++i) {
    if (!has_hole(other.holes[i])) holes[hole_count++] = other.holes[i];
  }
  return settle();
}

// Brings the parts in step. False when nothing is left.
bool Fact::settle() {
  low = std::max(low, ones);
  high = std::min(high, ~zeros);
  while (low <= high && has_hole(low) && low < kMax) ++low;
  while (low <= high && has_hole(high) && high > 0) --high;
  if (low > high || (zeros & ones) != 0) {
    return false;
  }
  zeros |= zeros_above(high);
  if (low == high) {
    zeros |= ~low;
    ones |= low;
  }
  return (zeros & ones) == 0 && !has_hole(low);
}

void Fact::meet(const Fact& other) {
  const auto outside = [](const Fact& fact, std::uint32_t k) {
    return fact.decide(Compare::kEq, k) == false;
  };
  Fact both{.low = std::min(low, other.low),
            .high = std::max(high, other.high),
            .zeros = zeros & other.zeros,
            .ones = ones & other.ones};
  for (std::uint32_t i = 0; i < hole_count; ++i) {
    if (outside(other, holes[i])) both.holes[both.hole_count++] = holes[i];
  }
  for (std::uint32_t i = 0; i < other.hole_count && both.hole_count < kMaxHoles; ++i) {
    const std::uint32_t hole = other.holes[i];
    if (outside(*this, hole) && !both.has_hole(hole)) both.holes[both.hole_count++] = hole;
  }
  *this = both;
}

FactTable::FactTable(ValueClasses& expressions) : expressions_(expressions), nodes_(1), facts_(1) {
  // Classes that are made later find room up to twice as many; others are not remembered.
  for (std::size_t room = kFan; room < 2 * expressions.size() + kFan; room *= kFan) {
    ++levels_;
  }
}

std::uint32_t FactTable::find(FactState state, ClassId c) const {
  if (c >> (4 * levels_) != 0) {
    return 0;
  }
  std::uint32_t at = state.root;
  for (std::uint32_t level = levels_; at != 0 && level-- > 0;) {
    at = nodes_[at][c >> (4 * level) & (kFan - 1)];
  }
  return at;
}

void FactTable::put(FactState& state, ClassId c, const Fact& fact) {
  if (c >> (4 * levels_) == 0) {
    facts_.push_back(fact);
    state.root = put(state.root, levels_ - 1, c, static_cast<std::uint32_t>(facts_.size() - 1));
  }
}

std::uint32_t FactTable::put(std::uint32_t node, std::uint32_t level, ClassId c,
                             std::uint32_t fact) {
  const std::uint32_t slot = c >> (4 * level) & (kFan - 1);
  const std::uint32_t below = level == 0 ? fact : put(nodes_[node][slot], level - 1, c, fact);
  nodes_.push_back(Node(nodes_[node]));
  nodes_.back()[slot] = below;
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

FactState FactTable::meet(FactState a, FactState b) { return {meet(a.root, b.root, levels_)}; }

std::uint32_t FactTable::meet(std::uint32_t a, std::uint32_t b, std::uint32_t level) {
  if (a == b || a == 0 || b == 0) {
    return a == b ? a : 0;
  }
  if (level == 0) {
    Fact both = facts_[a];
    both.meet(facts_[b]);
    if (both == facts_[a]) return a;
    if (both == Fact{}) return 0;
    facts_.push_back(both);
    return static_cast<std::uint32_t>(facts_.size() - 1);
  }
  Node both{};
  for (std::uint32_t slot = 0; slot < kFan; ++slot) {
    both[slot] = meet(nodes_[a][slot], nodes_[b][slot], level - 1);
  }
  if (both == nodes_[a]) return a;
  if (both == Node{}) return 0;
  nodes_.push_back(both);
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

Fact FactTable::compute(FactState state, ClassId c, int depth) const {
  const ir::Value& value = expressions_.node(c);
  if (value.op == Op::kConstant) {
    return Fact::exactly(value.k);
  }
  const Bounds& bounds = expressions_.bounds(c);
  Fact fact{.high = bounds.high, .zeros = bounds.zeros};
  // None of these can contradict each other on a way that is taken.
  if (depth > 0 && ir::is_arithmetic(value.op)) {
    fact.assume(from_operands(state, value, depth - 1));
  }
  fact.assume(facts_[find(state, c)]);
  return fact;
}

Fact FactTable::from_operands(FactState state, const ir::Value& value, int depth) const {
  const auto k = expressions_.number(value.b);
  if (!k) {
    return {};
  }
  const Fact a = compute(state, value.a, depth);
  if (const auto number = a.number(); number && value.op != Op::kDiv && value.op != Op::kMod) {
    return Fact::exactly(ir::evaluate_arithmetic(value.op, *number, *k));
  }
  Fact fact;
  switch (value.op) {
    case Op::kAdd:
      if (a.high <= kMax - *k) {
        fact.low = a.low + *k;
        fact.high = a.high + *k;
      }
      return fact;
    case Op::kAnd:
      return {.high = std::min(a.high, *k), .zeros = a.zeros | ~*k, .ones = a.ones & *k};
    case Op::kOr:
      return {.low = std::max(a.low, *k), .zeros = a.zeros & ~*k, .ones = a.ones | *k};
    case Op::kXor:
      return {.zeros = (a.zeros & ~*k) | (a.ones & *k), .ones = (a.ones & ~*k) | (a.zeros & *k)};
    case Op::kShl:
      if (*k < 32) fact = {.zeros = ~(~a.zeros << *k), .ones = a.ones << *k};
      return fact;
    case Op::kShr:
      if (*k < 32) {
        fact = {.low = a.low >> *k,
                .high = a.high >> *k,
                .zeros = ~(~a.zeros >> *k),
                .ones = a.ones >> *k};
      }
      return fact;
    case Op::kDiv:
      if (*k != 0) {
        fact.low = a.low / *k;
        fact.high = a.high / *k;
      }
      return fact;
    case Op::kConstant:
    case Op::kParameter:
    case Op::kLength:
    case Op::kAncillary:
    case Op::kLoopState:
    case Op::kLoad:
    case Op::kSub:
    case Op::kMul:
    case Op::kMod:
    case Op::kShlModulo:
    case Op::kShrModulo:
    case Op::kNeg:
    case Op::kHas:
    case Op::kJoin:
    case Op::kIn:
    case Op::kNeed:
    case Op::kGuard:
      return fact;
  }
  return fact;
}

std::optional<ClassId> FactTable::order_of(ClassId a, ClassId b) const {
  const auto found = orders_.find({a, b});
  return found == orders_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<bool> FactTable::decide(FactState state, const Comparison& c) const {
  if (const auto always = expressions_.decide(c)) {
    return always;
  }
  if (const auto k = expressions_.number(c.b)) {
    const auto decided = fact(state, c.a).decide(c.compare, *k);
    const auto masked = masked_.find({c.a, c.b});
    const bool of_bits = c.compare == Compare::kSet || c.compare == Compare::kClear;
    return decided || !of_bits || masked == masked_.end()
               ? decided
               : fact(state, masked->second)
                     .decide(c.compare == Compare::kSet ? Compare::kNe : Compare::kEq, 0);
  }
  if (expressions_.number(c.a)) {
    return decide(state, {ir::exchange(c.compare), c.b, c.a});
  }
  if (const auto k = fact(state, c.b).number()) {
    return fact(state, c.a).decide(c.compare, *k);
  }
  if (c.compare == Compare::kSet || c.compare == Compare::kClear) {
    return std::nullopt;
  }
  if (c.b < c.a) {
    return decide(state, {ir::exchange(c.compare), c.b, c.a});
  }
  const auto order = order_of(c.a, c.b);
  return order ? fact(state, *order).decide(c.compare, 1) : std::nullopt;
}

bool FactTable::assume(FactState& state, Comparison c, bool holds) {
  if (!holds) {
    c.compare = ir::negate(c.compare);
  }
  if (const auto known = decide(state, c)) {
    return *known;
  }
  if (const auto k = expressions_.number(c.b)) {
    Fact fact = compute(state, c.a, kDepth);
    return fact.assume(c.compare, *k) && assume(state, c.a, fact) &&
           (c.compare != Compare::kSet || assume_some_bit(state, c.a, c.b));
  }
  if (c.compare == Compare::kSet || c.compare == Compare::kClear) {
    return true;
  }
  if (c.b < c.a) {
    std::swap(c.a, c.b);
    c.compare = ir::exchange(c.compare);
  }
  const auto [found, is_new] = orders_.try_emplace({c.a, c.b}, kNoClass);
  if (is_new) {
    found->second = expressions_.fresh(Op::kParameter);
  }
  Fact order{.high = 2};
  return order.assume(facts_[find(state, found->second)]) && order.assume(c.compare, 1) &&
         assume(state, found->second, order);
}

bool FactTable::assume_some_bit(FactState& state, ClassId a, ClassId bits) {
  const auto [found, is_new] = masked_.try_emplace({a, bits}, kNoClass);
  if (is_new) {
    found->second = expressions_.intern({.op = Op::kAnd, .a = a, .b = bits});
  }
  Fact masked = compute(state, found->second, kDepth);
  return masked.assume(Compare::kNe, 0) && assume(state, found->second, masked);
}

bool FactTable::assume(FactState& state, ClassId c, const Fact& fact, int depth) {
  Fact all = compute(state, c, kDepth);
  const Fact before = all;
  if (!all.assume(fact)) {
    return false;
  }
  if (all == before) {
    const std::uint32_t there = find(state, c);
    if (there == 0 || !(facts_[there] == all)) put(state, c, all);
    return true;
  }
  put(state, c, all);
  return depth == 0 || assume_operand(state, ir::Value(expressions_.node(c)), all, depth - 1);
}

// What a fact about x op k says of x.
bool FactTable::assume_operand(FactState& state, const ir::Value& value, const Fact& fact,
                               int depth) {
  const auto k = expressions_.number(value.b);
  if (!k) {
    return true;
  }
  const auto number = fact.number();
  if (value.op == Op::kAnd) {
    return assume(state, value.a, {.zeros = fact.zeros & *k, .ones = fact.ones}, depth);
  }
  if (value.op == Op::kAdd && number) {
    return assume(state, value.a, Fact::exactly(*number - *k), depth);
  }
  if (value.op == Op::kShr && *k < 32) {
    return assume(state, value.a, {.zeros = fact.zeros << *k, .ones = fact.ones << *k}, depth);
  }
  return true;
}

}  // namespace weir::opt
