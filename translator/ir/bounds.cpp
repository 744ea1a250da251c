#include "translator/ir/bounds.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace weir::ir {
namespace {

std::uint32_t clip(std::uint64_t bound) {
  return bound > kUnbounded ? kUnbounded : static_cast<std::uint32_t>(bound);
}

// All ones up to the highest bit of `a`.
std::uint32_t fill(std::uint32_t a) { return a == 0 ? 0 : 0xffffffffU >> std::countl_zero(a); }

// For a shift by 0 to `by`, which is below 32: where bits may be shifted out, nothing is known.
std::uint32_t shift_left_bound(std::uint32_t a, std::uint32_t by) {
  return clip(std::uint64_t{a} << by);
}

}  // namespace

std::uint32_t upper_bound(const Value& value, std::uint32_t a, std::uint32_t b,
                          bool b_is_constant) {
  switch (value.op) {
    case Op::kConstant:
      return value.k;
    case Op::kLoad:
      return value.width == 4 ? kUnbounded : (1U << (8 * value.width)) - 1;
    case Op::kAdd:
      return clip(std::uint64_t{a} + b);
    case Op::kMul:
      return clip(std::uint64_t{a} * b);
    case Op::kDiv:
      return b_is_constant && b != 0 ? a / b : a;
    case Op::kMod:
      return std::min(a, b == 0 ? 0 : b - 1);
    case Op::kAnd:
      return std::min(a, b);
    case Op::kOr:
    case Op::kXor:
      return fill(a | b);
    case Op::kShl:
      return b_is_constant && b > 31 ? 0 : shift_left_bound(a, std::min(b, 31U));
    case Op::kShlModulo:
      return shift_left_bound(a, b_is_constant ? b % 32 : 31);
    case Op::kShr:
      return !b_is_constant ? a : b > 31 ? 0 : a >> b;
    case Op::kShrModulo:
      return b_is_constant ? a >> (b % 32) : a;
    case Op::kHas:
    case Op::kIn:
      return 1;
    case Op::kParameter:
    case Op::kLength:
    case Op::kAncillary:
    case Op::kLoopState:
    case Op::kSub:
    case Op::kNeg:
    case Op::kJoin:
      return kUnbounded;
    case Op::kNeed:
    case Op::kGuard:
      return 0;
  }
  return kUnbounded;
}

std::vector<std::uint32_t> upper_bounds(const Function& function) {
  std::vector<std::uint32_t> bounds(function.values.size(), 0);
  for (std::size_t id = 0; id < bounds.size(); ++id) {
    if (function.values[id].op == Op::kConstant) {
      bounds[id] = function.values[id].k;
    }
  }
  const auto bound = [&](ValueId id) { return id < bounds.size() ? bounds[id] : kUnbounded; };
  for (const Block& block : function.blocks) {
    for (const ValueId id : block.body) {
      const Value& value = function.values[id];
      const bool constant = value.b < bounds.size() && function.values[value.b].op == Op::kConstant;
      bounds[id] = upper_bound(value, bound(value.a), bound(value.b), constant);
    }
    for (const Edge& edge : block.terminator.edges) {
      const std::vector<ValueId>& parameters = function.blocks[edge.to].parameters;
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        bounds[parameters[i]] = std::max(bounds[parameters[i]], bound(edge.arguments[i]));
      }
    }
  }
  return bounds;
}

}  // namespace weir::ir
