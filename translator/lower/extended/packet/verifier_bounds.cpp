#include "translator/lower/extended/packet/verifier_bounds.h"

#include <algorithm>
#include <bit>

namespace weir::lower {
namespace {

using ir::Op;
using ir::Value;

constexpr std::uint64_t kWord = 0xffffffff;

// All bits below and at the highest one of `value` set.
std::uint64_t filled(std::uint64_t value) {
  return value == 0 ? 0 : ~std::uint64_t{0} >> std::countl_zero(value);
}

class Bounds {
 public:
  explicit Bounds(const ir::Function& function)
      : function_(function), bounds_(function.values.size(), kUnbounded) {
    for (std::size_t v = 0; v < function.values.size(); ++v) {
      if (function.values[v].op == Op::kConstant) {
        bounds_[v] = function.values[v].k;
      } else if (function.values[v].op == Op::kParameter) {
        bounds_[v] = 0;  // Raised by each edge, all of which come before the block.
      }
    }
  }

  std::vector<std::uint64_t> run() && {
    for (const ir::Block& block : function_.blocks) {
      for (const ir::ValueId v : block.body) {
        bounds_[v] = bound(function_.values[v]);
      }
      for (const ir::Edge& edge : block.terminator.edges) {
        const auto& parameters = function_.blocks[edge.to].parameters;
        for (std::size_t i = 0; i < edge.arguments.size(); ++i) {
          bounds_[parameters[i]] = std::max(bounds_[parameters[i]], of(edge.arguments[i]));
        }
      }
    }
    return std::move(bounds_);
  }

 private:
  std::uint64_t of(ir::ValueId v) const { return v == ir::kNoValue ? 0 : bounds_[v]; }

  // What a result of 32 bits has for a bound when nothing better is known.
  static std::uint64_t or_word(std::uint64_t bound) { return std::min(bound, kWord); }

  static std::uint64_t load(const Value& value) {
    return value.width == 1 ? 0xff : kUnbounded;  // Wider ones have their bytes swapped.
  }

  std::uint64_t bound(const Value& value) const {
    const std::uint64_t a = or_word(of(value.a));
    const std::uint64_t b = or_word(of(value.b));
    switch (value.op) {
      case Op::kLoad:
        return load(value);
      case Op::kAdd:
        return a + b > kWord ? kWord : a + b;
      case Op::kMul:
        return a <= 0xffff && b <= 0xffff ? a * b : kWord;
      case Op::kAnd:
        return std::min(a, b);
      case Op::kOr:
      case Op::kXor:
        return filled(a | b);
      case Op::kShl:
      case Op::kShlModulo:
        return shl(value, a);
      case Op::kShr:
      case Op::kShrModulo:
        return shr(value, a);
      case Op::kDiv:
      case Op::kMod:
      case Op::kSub:
      case Op::kNeg:
      case Op::kLoopState:
        return kWord;
      case Op::kConstant:
      case Op::kParameter:
      case Op::kLength:
      case Op::kAncillary:
      case Op::kHas:
      case Op::kJoin:
      case Op::kIn:
      case Op::kNeed:
      case Op::kGuard:
        break;
    }
    return kUnbounded;
  }

  std::uint64_t shl(const Value& value, std::uint64_t a) const {
    const Value& amount = function_.values[value.b];
    if (amount.op != Op::kConstant || amount.k >= 32) {
      return kWord;
    }
    return or_word(a << amount.k);
  }
  std::uint64_t shr(const Value& value, std::uint64_t a) const {
    const Value& amount = function_.values[value.b];
    if (amount.op != Op::kConstant || amount.k >= 32) {
      return kWord;
    }
    return a >> amount.k;
  }

  const ir::Function& function_;
  std::vector<std::uint64_t> bounds_;
};

}  // namespace

std::vector<std::uint64_t> verifier_bounds(const ir::Function& function) {
  return Bounds(function).run();
}

}  // namespace weir::lower
