// Conditional constant propagation (Wegman and Zadeck, "Constant Propagation with Conditional
// Branches", TOPLAS 1991); without loops a single forward sweep suffices. A block that only decided
// branches lead to is not visited, so what it would have passed to a parameter does not count.
//
// Compares and arithmetic with one constant operand fold where the constant alone decides the
// result (x & 0, x >= 0). O(values + edges). Test: tests/translator/opt/fold_constants_test.cpp.
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/builder.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/rewrite.h"
#include "translator/opt/passes.h"

namespace weir::opt {
namespace {

using ir::Compare;
using ir::kNoValue;
using ir::Op;
using ir::ValueId;

constexpr std::uint32_t kMax = std::numeric_limits<std::uint32_t>::max();
// What has come to a parameter along the edges so far: nothing, or different values.
constexpr ValueId kNone = kNoValue;
constexpr ValueId kDifferent = kNoValue - 1;

class Folder {
 public:
  explicit Folder(ir::Function& function)
      : function_(function),
        builder_(function),
        replacements_(function),
        incoming_(function.values.size(), kNone),
        dead_(function.values.size()),
        reached_(function.blocks.size()) {}

  void run() {
    reached_[0] = true;
    for (std::size_t at = 0; at < function_.blocks.size(); ++at) {
      if (reached_[at]) {
        fold_block(function_.blocks[at]);
      }
    }
    ir::remove_unreachable_blocks(function_);
    ir::remove_values(function_, dead_);
  }

 private:
  bool is_constant(ValueId id) const {
    return id != kNoValue && function_.values[id].op == Op::kConstant;
  }
  std::optional<std::uint32_t> number(ValueId id) const {
    return is_constant(id) ? std::optional(function_.values[id].k) : std::nullopt;
  }
  void resolve(ValueId& id) {
    if (id != kNoValue) {
      id = replacements_.find(id);
    }
  }
  void replace(ValueId old, ValueId by) {
    replacements_.replace(old, by);
    dead_[old] = true;
  }

  void fold_block(ir::Block& block) {
    for (const ValueId parameter : block.parameters) {
      if (incoming_[parameter] != kDifferent) {
        replace(parameter, incoming_[parameter]);
      }
    }
    for (std::size_t i = 0; i < block.body.size(); ++i) {
      const ValueId id = block.body[i];
      resolve(function_.values[id].a);
      resolve(function_.values[id].b);
      if (!fold_value(id)) {
        block.body.resize(i);
        block.terminator = {.end = ir::End::kReturn,
                            .a = builder_.constant(0),
                            .origin = function_.values[id].origin};
        return;
      }
    }
    fold_terminator(block.terminator);
    for (ir::Edge& edge : block.terminator.edges) {
      follow(edge);
    }
  }

  // Brings the edge's arguments to the parameters.
  void follow(ir::Edge& edge) {
    reached_[edge.to] = true;
    const std::vector<ValueId>& parameters = function_.blocks[edge.to].parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      resolve(edge.arguments[i]);
      ValueId& incoming = incoming_[parameters[i]];
      const bool same = incoming == kNone || incoming == edge.arguments[i];
      incoming = same ? edge.arguments[i] : kDifferent;
    }
  }

  // False when the filter ends with 0 here.
  bool fold_value(ValueId id) {
    const Op op = function_.values[id].op;
    if (op == Op::kNeed || op == Op::kLoad) {
      return fold_place(id);
    }
    if (op == Op::kGuard) {
      const auto k = number(function_.values[id].a);
      dead_[id] = k.has_value();
      return !k || *k != 0;
    }
    if (op == Op::kIn) {
      fold_set_test(id);
    } else if (ir::is_arithmetic(op)) {
      if (const ValueId by = fold_arithmetic(function_.values[id]); by != kNoValue) {
        replace(id, by);
      }
    }
    return true;
  }

  void fold_set_test(ValueId id) {
    const ir::Set& set = function_.sets[function_.values[id].k];
    const auto member = number(function_.values[id].a);
    if (set.ranges.empty()) {
      replace(id, builder_.constant(0));
    } else if (member) {
      replace(id, builder_.constant(set.contains(ir::Key::of(*member)) ? 1 : 0));
    }
  }

  // A constant base joins the offset.
  bool fold_place(ValueId id) {
    ir::Value& value = function_.values[id];
    if (const auto base = number(value.a)) {
      const std::uint64_t sum = std::uint64_t{*base} + value.k;
      if (sum > kMax) {
        return false;  // No packet is that long; a load comes here only behind its need.
      }
      value.a = kNoValue;
      value.k = static_cast<std::uint32_t>(sum);
    }
    if (value.op == Op::kNeed && value.a == kNoValue && value.k == 0) {
      dead_[id] = true;
    }
    return true;
  }

  // What the value comes to, or kNoValue.
  ValueId fold_arithmetic(const ir::Value& value) {
    const auto a = number(value.a);
    const auto b = number(value.b);
    if (a && (b || value.op == Op::kNeg)) {
      const bool by_zero = (value.op == Op::kDiv || value.op == Op::kMod) && *b == 0;
      return by_zero ? kNoValue
                     : builder_.constant(ir::evaluate_arithmetic(value.op, *a, b.value_or(0)));
    }
    if (b) {
      return fold_with_right(value, *b);
    }
    if (a) {
      return fold_with_left(value, *a);
    }
    return kNoValue;
  }

  // x op b: x itself, 0, or all ones.
  ValueId fold_with_right(const ir::Value& value, std::uint32_t b) {
    switch (value.op) {
      case Op::kAdd:
      case Op::kSub:
      case Op::kXor:
      case Op::kShr:
      case Op::kShl:
        if (b == 0) return value.a;
        return (value.op == Op::kShl || value.op == Op::kShr) && b >= 32 ? builder_.constant(0)
                                                                         : kNoValue;
      case Op::kShlModulo:
      case Op::kShrModulo:
        return b % 32 == 0 ? value.a : kNoValue;
      case Op::kOr:
        return b == 0 ? value.a : b == kMax ? builder_.constant(kMax) : kNoValue;
      case Op::kAnd:
        return b == kMax ? value.a : b == 0 ? builder_.constant(0) : kNoValue;
      case Op::kMul:
        return b == 1 ? value.a : b == 0 ? builder_.constant(0) : kNoValue;
      case Op::kDiv:
        return b == 1 ? value.a : kNoValue;
      case Op::kMod:
        return b == 1 ? builder_.constant(0) : kNoValue;
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
        return kNoValue;
    }
    return kNoValue;
  }

  // a op x: the operations that commute as on the right; 0 stays 0 under the others, but 0 - x.
  ValueId fold_with_left(const ir::Value& value, std::uint32_t a) {
    switch (value.op) {
      case Op::kAdd:
      case Op::kXor:
      case Op::kOr:
      case Op::kAnd:
      case Op::kMul:
        return fold_with_right({.op = value.op, .a = value.b, .b = value.a}, a);
      case Op::kDiv:
      case Op::kMod:
      case Op::kShl:
      case Op::kShr:
      case Op::kShlModulo:
      case Op::kShrModulo:
        return a == 0 ? value.a : kNoValue;
      case Op::kSub:
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
        return kNoValue;
    }
    return kNoValue;
  }

  void fold_terminator(ir::Terminator& end) {
    resolve(end.a);
    resolve(end.b);
    for (ValueId& word : end.state) {
      resolve(word);
    }
    if (const auto edge = decided_edge(end)) {
      ir::Edge taken = std::move(end.edges[*edge]);
      end = {.end = ir::End::kJump, .origin = end.origin};
      end.edges.push_back(std::move(taken));
    }
  }

  // The edge that is taken whatever the packet.
  std::optional<std::size_t> decided_edge(const ir::Terminator& end) const {
    if (end.end == ir::End::kBranch) {
      if (const auto holds = decide(end.compare, end.a, end.b)) {
        return *holds ? 0 : 1;
      }
      const bool same =
          end.edges[0].to == end.edges[1].to && end.edges[0].arguments == end.edges[1].arguments;
      return same ? std::optional<std::size_t>(0) : std::nullopt;
    }
    if (end.end == ir::End::kSwitch) {
      if (const auto k = number(end.a)) {
        return ir::evaluate_switch(end, *k);
      }
      return end.cases.empty() ? std::optional<std::size_t>(0) : std::nullopt;
    }
    return std::nullopt;
  }

  std::optional<bool> decide(Compare compare, ValueId a, ValueId b) const {
    const auto left = number(a);
    const auto right = number(b);
    if (left && right) {
      return ir::evaluate_compare(compare, *left, *right);
    }
    if (a == b && compare != Compare::kSet && compare != Compare::kClear) {
      return ir::evaluate_compare(compare, 0, 0);  // Any number compares so with itself.
    }
    if (right) {
      return decide_by_limit(compare, *right);
    }
    if (left) {
      return decide_by_limit(ir::exchange(compare), *left);
    }
    return std::nullopt;
  }

  // What `x compare k` is for every x.
  static std::optional<bool> decide_by_limit(Compare compare, std::uint32_t k) {
    switch (compare) {
      case Compare::kGe:
        return k == 0 ? std::optional(true) : std::nullopt;
      case Compare::kLt:
        return k == 0 ? std::optional(false) : std::nullopt;
      case Compare::kGt:
        return k == kMax ? std::optional(false) : std::nullopt;
      case Compare::kLe:
        return k == kMax ? std::optional(true) : std::nullopt;
      case Compare::kSet:
        return k == 0 ? std::optional(false) : std::nullopt;
      case Compare::kClear:
        return k == 0 ? std::optional(true) : std::nullopt;
      case Compare::kEq:
      case Compare::kNe:
        return std::nullopt;
    }
    return std::nullopt;
  }

  ir::Function& function_;
  ir::FunctionBuilder builder_;
  ir::Replacements replacements_;
  std::vector<ValueId> incoming_;  // By parameter.
  std::vector<bool> dead_;         // By value; those replaced, and effects that always pass.
  std::vector<bool> reached_;      // By block.
};

}  // namespace

void fold_constants(ir::Function& function) { Folder(function).run(); }

}  // namespace weir::opt
