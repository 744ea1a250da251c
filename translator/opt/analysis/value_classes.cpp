#include "translator/opt/analysis/value_classes.h"

#include <bit>
#include <cstddef>
#include <limits>
#include <utility>

#include "cbpf/instruction.h"
#include "translator/ir/bounds.h"
#include "translator/ir/evaluate.h"

namespace weir::opt {
namespace {

using ir::Compare;
using ir::Op;
using ir::Value;

constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();

bool commutes(Op op) {
  return op == Op::kAdd || op == Op::kMul || op == Op::kAnd || op == Op::kOr || op == Op::kXor;
}

// The bits above the highest one that a number up to `high` can have.
std::uint32_t zeros_above(std::uint32_t high) {
  return high == 0 ? kMax : ~(kMax >> std::countl_zero(high));
}

bool is_range(Compare compare) {
  return compare == Compare::kGt || compare == Compare::kGe || compare == Compare::kLt ||
         compare == Compare::kLe;
}

}  // namespace

bool is_random(const Value& value) {
  return value.op == Op::kAncillary &&
         value.k == static_cast<std::uint32_t>(cbpf::Extension::kRandom);
}

std::size_t ValueClasses::Hash::operator()(const Value& value) const {
  std::uint64_t hash = static_cast<std::uint64_t>(value.op) << 8 | value.width;
  for (const std::uint32_t part : {value.k, value.a, value.b}) {
    hash = (hash ^ part) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29;
  }
  return hash;
}

bool ValueClasses::Same::operator()(const Value& x, const Value& y) const {
  return x.op == y.op && x.width == y.width && x.k == y.k && x.a == y.a && x.b == y.b;
}

ValueClasses::ValueClasses(const ir::Function& function) {
  classes_.assign(function.values.size(), kNoClass);
  nodes_.reserve(function.values.size());
  for (ir::ValueId id = 0; id < function.values.size(); ++id) {
    if (function.values[id].op == Op::kConstant) {
      classes_[id] = constant(function.values[id].k);
    }
  }
  const std::vector<std::uint32_t> bounds = ir::upper_bounds(function);
  for (const ir::Block& block : function.blocks) {
    for (const ir::ValueId id : block.parameters) {
      classes_[id] = add({.op = Op::kParameter}, {bounds[id], zeros_above(bounds[id])});
    }
    for (const ir::ValueId id : block.body) {
      Value value = function.values[id];
      if (ir::is_effect(value.op)) {
        continue;
      }
      value.a = value.a == ir::kNoValue ? kNoClass : classes_[value.a];
      value.b = value.b == ir::kNoValue ? kNoClass : classes_[value.b];
      classes_[id] = is_random(value) ? add(value, {}) : intern(value);
    }
  }
}

void ValueClasses::set(ir::ValueId id, ClassId c) {
  if (classes_.size() <= id) {
    classes_.resize(id + 1, kNoClass);
  }
  classes_[id] = c;
}

ClassId ValueClasses::add(const Value& value, const Bounds& bounds) {
  nodes_.push_back({value, bounds});
  return static_cast<ClassId>(nodes_.size() - 1);
}

ClassId ValueClasses::fresh(Op op) { return add({.op = op}, {}); }

Bounds ValueClasses::bounds_of(const Value& value) const {
  if (value.op == Op::kConstant) {
    return {value.k, ~value.k};
  }
  const Bounds a = value.a == kNoClass ? Bounds{} : bounds(value.a);
  const Bounds b = value.b == kNoClass ? Bounds{} : bounds(value.b);
  const auto k = number(value.b);
  Bounds result;
  result.high = ir::upper_bound(value, a.high, b.high, k.has_value());
  result.zeros = zeros_above(result.high);
  if (value.op == Op::kAnd) {
    result.zeros |= a.zeros | b.zeros;
  } else if (value.op == Op::kOr || value.op == Op::kXor) {
    result.zeros |= a.zeros & b.zeros;
  } else if (value.op == Op::kShl && k && *k < 32) {
    result.zeros |= ~(~a.zeros << *k);
  } else if (value.op == Op::kShr && k && *k < 32) {
    result.zeros |= ~(~a.zeros >> *k);
  }
  if (~result.zeros < result.high) {
    result.high = ~result.zeros;
  }
  return result;
}

ClassId ValueClasses::intern(Value value) {
  value.origin = ir::kNoOrigin;
  // A few steps at most: each one makes the value smaller.
  if (ir::is_arithmetic(value.op)) {
    if (const ClassId simpler = simplify(value); simpler != kNoClass) {
      return simpler;
    }
  } else if (value.op == Op::kLoad) {
    Value place = value;
    if (normalise_place(place)) {
      value = place;
    }
  }
  const auto [found, is_new] = known_.try_emplace(value, static_cast<ClassId>(nodes_.size()));
  if (is_new) {
    add(value, bounds_of(value));
  }
  return found->second;
}

bool ValueClasses::normalise_place(Value& value) {
  while (value.a != kNoClass) {
    const Value& base = node(value.a);
    const bool whole = base.op == Op::kConstant;
    const auto added = whole                 ? std::optional(base.k)
                       : base.op == Op::kAdd ? number(base.b)
                                             : std::nullopt;
    if (!added || (!whole && std::uint64_t{bounds(base.a).high} + *added > kMax)) {
      return true;
    }
    if (std::uint64_t{value.k} + *added > kMax) {
      return false;
    }
    value.k += *added;
    value.a = whole ? kNoClass : base.a;
  }
  return true;
}

// What the value comes to, or kNoClass: then it is in its normal form.
ClassId ValueClasses::simplify(Value& value) {
  if (value.op == Op::kNeg) {
    const auto k = number(value.a);
    return k ? constant(0 - *k) : node(value.a).op == Op::kNeg ? node(value.a).a : kNoClass;
  }
  const auto left = number(value.a);
  auto right = number(value.b);
  if (left && right) {
    const bool by_zero = (value.op == Op::kDiv || value.op == Op::kMod) && *right == 0;
    return by_zero ? kNoClass : constant(ir::evaluate_arithmetic(value.op, *left, *right));
  }
  if (commutes(value.op) && (left || (!right && value.b < value.a))) {
    std::swap(value.a, value.b);
    right = left;
  }
  if (right) {
    return simplify_with(value, *right);
  }
  if (left && *left == 0 && value.op != Op::kSub) {
    return value.a;  // 0 divided or shifted.
  }
  if (value.a == value.b) {
    if (value.op == Op::kSub || value.op == Op::kXor) return constant(0);
    if (value.op == Op::kAnd || value.op == Op::kOr) return value.a;
  }
  return kNoClass;
}

ClassId ValueClasses::simplify_with(Value& value, std::uint32_t k) {
  const Value inner = node(value.a);
  // (x op j) op k, for operations that can be joined.
  const auto joined = [&](std::uint32_t both) {
    return intern({.op = value.op, .a = inner.a, .b = constant(both)});
  };
  const auto j = inner.op == value.op ? number(inner.b) : std::nullopt;
  switch (value.op) {
    case Op::kSub:
      return intern({.op = Op::kAdd, .a = value.a, .b = constant(0 - k)});
    case Op::kAdd:
      return k == 0 ? value.a : j ? joined(*j + k) : kNoClass;
    case Op::kXor:
      return k == 0 ? value.a : j ? joined(*j ^ k) : kNoClass;
    case Op::kOr:
      return k == 0 ? value.a : k == kMax ? constant(kMax) : j ? joined(*j | k) : kNoClass;
    case Op::kAnd:
      return j ? joined(*j & k) : simplify_and(value, k);
    case Op::kMul:
      if (k <= 1) return k == 0 ? constant(0) : value.a;
      if (j) return joined(*j * k);
      if (!std::has_single_bit(k)) return kNoClass;
      return intern({.op = Op::kShl,
                     .a = value.a,
                     .b = constant(static_cast<std::uint32_t>(std::countr_zero(k)))});
    case Op::kDiv:
      if (k == 1) return value.a;
      if (!std::has_single_bit(k)) return kNoClass;
      return intern({.op = Op::kShr,
                     .a = value.a,
                     .b = constant(static_cast<std::uint32_t>(std::countr_zero(k)))});
    case Op::kMod:
      if (!std::has_single_bit(k)) return kNoClass;
      return intern({.op = Op::kAnd, .a = value.a, .b = constant(k - 1)});
    case Op::kShlModulo:
      return intern({.op = Op::kShl, .a = value.a, .b = constant(k % 32)});
    case Op::kShrModulo:
      return intern({.op = Op::kShr, .a = value.a, .b = constant(k % 32)});
    case Op::kShl:
    case Op::kShr:
      return simplify_shift(value, k);
    case Op::kConstant:
    case Op::kParameter:
    case Op::kLength:
    case Op::kAncillary:
    case Op::kLoopState:
    case Op::kLoad:
    case Op::kNeg:
    case Op::kHas:
    case Op::kJoin:
    case Op::kIn:
    case Op::kNeed:
    case Op::kGuard:
      return kNoClass;
  }
  return kNoClass;
}

ClassId ValueClasses::simplify_and(Value& value, std::uint32_t k) {
  const std::uint32_t open = ~bounds(value.a).zeros;
  k &= open;
  if (k == open || k == 0) {
    return k == 0 ? constant(0) : value.a;
  }
  value.b = constant(k);
  return kNoClass;
}

ClassId ValueClasses::simplify_shift(Value& value, std::uint32_t k) {
  if (k == 0) {
    return value.a;
  }
  if (k >= 32) {
    return constant(0);
  }
  const std::uint32_t open = ~bounds(value.a).zeros;
  if ((value.op == Op::kShl ? open << k : open >> k) == 0) {
    return constant(0);
  }
  const Value inner = node(value.a);
  const auto j = inner.op == value.op ? number(inner.b) : std::nullopt;
  if (!j) {
    return kNoClass;
  }
  return *j + k >= 32 ? constant(0) : intern({.op = value.op, .a = inner.a, .b = constant(*j + k)});
}

// ---- Compares ----

Comparison ValueClasses::simplify(Comparison comparison) {
  while (!decide(comparison) && simplify_once(comparison)) {
  }
  return comparison;
}

std::optional<bool> ValueClasses::decide(const Comparison& c) const {
  const auto left = number(c.a);
  const auto right = number(c.b);
  if (left && right) {
    return ir::evaluate_compare(c.compare, *left, *right);
  }
  if (c.a == c.b && c.compare != Compare::kSet && c.compare != Compare::kClear) {
    return ir::evaluate_compare(c.compare, 0, 0);  // Any number compares so with itself.
  }
  if (left) {
    return decide({ir::exchange(c.compare), c.b, c.a});
  }
  if (!right) {
    return std::nullopt;
  }
  const auto [high, zeros] = bounds(c.a);
  switch (c.compare) {
    case Compare::kEq:
    case Compare::kNe:
      return *right > high || (*right & zeros) != 0 ? std::optional(c.compare == Compare::kNe)
                                                    : std::nullopt;
    case Compare::kGt:
    case Compare::kLe:
      return *right >= high ? std::optional(c.compare == Compare::kLe) : std::nullopt;
    case Compare::kGe:
    case Compare::kLt:
      return *right == 0     ? std::optional(c.compare == Compare::kGe)
             : *right > high ? std::optional(c.compare == Compare::kLt)
                             : std::nullopt;
    case Compare::kSet:
    case Compare::kClear:
      return (*right & ~zeros) == 0 ? std::optional(c.compare == Compare::kClear) : std::nullopt;
  }
  return std::nullopt;
}

bool ValueClasses::simplify_once(Comparison& c) {
  if (number(c.a)) {
    std::swap(c.a, c.b);
    c.compare = ir::exchange(c.compare);
    return true;
  }
  const auto k = number(c.b);
  if (!k) {
    const bool exchange = !is_range(c.compare) && c.b < c.a;
    if (exchange) {
      std::swap(c.a, c.b);
    }
    return exchange;
  }
  if (c.compare == Compare::kEq || c.compare == Compare::kNe) {
    return simplify_equal(c, *k);
  }
  return is_range(c.compare) ? simplify_order(c, *k) : simplify_bits(c, *k);
}

// x + j = k, and so on: what x itself must be.
bool ValueClasses::simplify_equal(Comparison& c, std::uint32_t k) {
  const Value value = node(c.a);
  const auto j = number(value.b);
  const auto to = [&](ClassId a, std::uint32_t number) {
    c.a = a;
    c.b = constant(number);
    return true;
  };
  const bool equal = c.compare == Compare::kEq;
  if (value.op == Op::kNeg) {
    return to(value.a, 0 - k);
  }
  if ((value.op == Op::kSub || value.op == Op::kXor) && k == 0 && !j) {
    c.a = value.a;
    c.b = value.b;
    return true;
  }
  if (!j) {
    return false;
  }
  if (value.op == Op::kAdd) {
    return to(value.a, k - *j);
  }
  if (value.op == Op::kXor) {
    return to(value.a, k ^ *j);
  }
  if (value.op == Op::kAnd && k == 0) {
    c.compare = equal ? Compare::kClear : Compare::kSet;
    return to(value.a, *j);
  }
  if (value.op == Op::kAnd && k == *j && std::has_single_bit(k)) {
    c.compare = equal ? Compare::kSet : Compare::kClear;
    return to(value.a, *j);
  }
  const std::uint32_t open = ~bounds(value.a).zeros;
  if (value.op == Op::kShl && (open << *j >> *j) == open) {
    return to(value.a, k >> *j);  // k's low bits are 0, else it would have been decided.
  }
  if (value.op == Op::kShr && node(value.a).op == Op::kAnd && number(node(value.a).b)) {
    // The bits that are shifted out need not be there.
    const std::uint32_t mask = *number(node(value.a).b) >> *j << *j;
    return to(intern({.op = Op::kAnd, .a = node(value.a).a, .b = constant(mask)}), k << *j);
  }
  return false;
}

bool ValueClasses::simplify_bits(Comparison& c, std::uint32_t k) {
  const Value value = node(c.a);
  const auto j = number(value.b);
  if (j && value.op == Op::kAnd) {
    c = {c.compare, value.a, constant(*j & k)};
    return true;
  }
  const std::uint32_t inside = k & ~bounds(c.a).zeros;
  if (j && value.op == Op::kShl) {
    c = {c.compare, value.a, constant(inside >> *j)};
    return true;
  }
  if (j && value.op == Op::kShr) {
    c = {c.compare, value.a, constant(inside << *j)};
    return true;
  }
  if (inside == ~bounds(c.a).zeros) {
    c = {c.compare == Compare::kSet ? Compare::kNe : Compare::kEq, c.a, constant(0)};
    return true;
  }
  if (inside != k) {
    c.b = constant(inside);
    return true;
  }
  return false;
}

// At the ends of what x can be, order is equality.
bool ValueClasses::simplify_order(Comparison& c, std::uint32_t k) {
  const std::uint32_t high = bounds(c.a).high;
  const auto to = [&](Compare compare, std::uint32_t number) {
    c = {compare, c.a, constant(number)};
    return true;
  };
  if (c.compare == Compare::kGt || c.compare == Compare::kLe) {
    const bool above = c.compare == Compare::kGt;
    if (k == 0) return to(above ? Compare::kNe : Compare::kEq, 0);
    if (k == high - 1) return to(above ? Compare::kEq : Compare::kNe, high);
    return false;
  }
  const bool from = c.compare == Compare::kGe;
  if (k == 1) return to(from ? Compare::kNe : Compare::kEq, 0);
  if (k == high) return to(from ? Compare::kEq : Compare::kNe, high);
  return false;
}

}  // namespace weir::opt
