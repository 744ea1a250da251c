#include "translator/opt/analysis/value_tests.h"

#include <algorithm>

#include "translator/opt/analysis/value_classes.h"

namespace weir::opt {
namespace {

using ir::Compare;
using ir::Key;
using ir::Op;
using ir::Range;
using ir::Value;
using ir::ValueId;

class Reader {
 public:
  explicit Reader(const ir::Function& function) : function_(function) {}

  std::optional<ValueTest> read(const ir::Terminator& end) const {
    ValueId a = end.a;
    std::optional<std::uint32_t> k = number(end.b);
    Compare compare = end.compare;
    if (!k) {
      a = end.b;
      k = number(end.a);
      compare = ir::exchange(compare);
    }
    if (!k || number(a) || value(a).op == Op::kHas) {
      return std::nullopt;
    }
    ValueTest test;
    bool holds_for_members = true;
    if (value(a).op == Op::kIn) {
      if (*k != 0 || (compare != Compare::kEq && compare != Compare::kNe)) {
        return std::nullopt;
      }
      holds_for_members = compare == Compare::kNe;
      const ir::Set& set = function_.sets[value(a).k];
      test.value = value(a).a;
      test.words = set.words;
      test.members = set.ranges;
      test.is_set = true;
    } else {
      const auto range = range_of(compare, a, *k, holds_for_members);
      if (!range) {
        return std::nullopt;
      }
      test.value = a;
      test.members.push_back(*range);
    }
    test.yes = end.edges[holds_for_members ? 0 : 1];
    test.no = end.edges[holds_for_members ? 1 : 0];
    return test;
  }

 private:
  const Value& value(ValueId id) const { return function_.values[id]; }
  std::optional<std::uint32_t> number(ValueId id) const {
    return value(id).op == Op::kConstant ? std::optional(value(id).k) : std::nullopt;
  }

  // The numbers for which the compare holds, or does not (then `holds` becomes false). Looks
  // through a mask of leading bits: then `a` becomes what is masked.
  std::optional<Range> range_of(Compare compare, ValueId& a, std::uint32_t k, bool& holds) const {
    const auto range = [](std::uint32_t low, std::uint32_t high) {
      return Range{Key::of(low), Key::of(high)};
    };
    switch (compare) {
      case Compare::kNe:
        holds = false;
        [[fallthrough]];
      case Compare::kEq:
        if (const std::uint32_t rest = ~leading_mask(a); rest != 0 && (k & rest) == 0) {
          a = number(value(a).b) ? value(a).a : value(a).b;
          return range(k, k | rest);
        }
        return range(k, k);
      case Compare::kLe:
        holds = false;
        [[fallthrough]];
      case Compare::kGt:
        return k == 0xffffffff ? std::nullopt : std::optional(range(k + 1, 0xffffffff));
      case Compare::kLt:
        holds = false;
        [[fallthrough]];
      case Compare::kGe:
        return range(k, 0xffffffff);
      case Compare::kSet:
      case Compare::kClear:
        return std::nullopt;
    }
    return std::nullopt;
  }

  // All ones where the value is no masked one.
  std::uint32_t leading_mask(ValueId a) const {
    if (value(a).op != Op::kAnd) {
      return 0xffffffff;
    }
    const auto right = number(value(a).b);
    const auto mask = right ? right : number(value(a).a);
    const bool leading = mask && (~*mask & (~*mask + 1)) == 0;
    return leading ? *mask : 0xffffffff;
  }

  const ir::Function& function_;
};

bool may_move(Op op) {
  switch (op) {
    case Op::kLength:
    case Op::kLoad:
    case Op::kAdd:
    case Op::kSub:
    case Op::kMul:
    case Op::kAnd:
    case Op::kOr:
    case Op::kXor:
    case Op::kShl:
    case Op::kShr:
    case Op::kShlModulo:
    case Op::kShrModulo:
    case Op::kNeg:
    case Op::kJoin:
    case Op::kIn:
      return true;
    case Op::kConstant:
    case Op::kParameter:
    case Op::kAncillary:
    case Op::kLoopState:
    case Op::kDiv:
    case Op::kMod:
    case Op::kHas:
    case Op::kNeed:
    case Op::kGuard:
      return false;
  }
  return false;
}

}  // namespace

std::optional<ValueTest> read_value_test(const ir::Function& function, const ir::Terminator& end) {
  if (end.end != ir::End::kBranch || same_way(end.edges[0], end.edges[1])) {
    return std::nullopt;
  }
  return Reader(function).read(end);
}

bool same_way(const ir::Edge& a, const ir::Edge& b) {
  return a.to == b.to && a.arguments == b.arguments;
}

bool may_move_up(const ir::Function& function, const ir::Block& block) {
  return block.parameters.empty() &&
         std::all_of(block.body.begin(), block.body.end(),
                     [&](ValueId id) { return may_move(function.values[id].op); });
}

}  // namespace weir::opt
