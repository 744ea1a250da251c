#include "translator/ir/evaluate.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::ir {
namespace {

class Evaluator {
 public:
  Evaluator(const Function& function, const cbpf::Packet& packet)
      : function_(function),
        packet_(packet),
        numbers_(function.values.size()),
        loop_state_(function.loop_words) {
    for (std::size_t id = 0; id < numbers_.size(); ++id) {
      if (function.values[id].op == Op::kConstant) {
        numbers_[id] = function.values[id].k;
      }
    }
  }

  std::uint32_t run() {
    const Block* block = &function_.blocks[0];
    for (;;) {
      for (const ValueId id : block->body) {
        if (!step(id)) {
          return 0;
        }
      }
      const Terminator& end = block->terminator;
      if (end.end == End::kReturn) {
        return numbers_[end.a];
      }
      if (end.end == End::kRepeat) {
        repeat(end);
        block = &function_.blocks[0];
        continue;
      }
      block = take(end.edges[choose(end)]);
    }
  }

 private:
  std::uint32_t choose(const Terminator& end) const {
    switch (end.end) {
      case End::kReturn:
      case End::kRepeat:
      case End::kJump:
        return 0;
      case End::kBranch:
        return evaluate_compare(end.compare, numbers_[end.a], numbers_[end.b]) ? 0 : 1;
      case End::kSwitch:
        return evaluate_switch(end, numbers_[end.a]);
    }
    return 0;
  }

  void repeat(const Terminator& end) {
    std::vector<std::uint32_t> next;
    for (const ValueId word : end.state) {
      next.push_back(numbers_[word]);
    }
    loop_state_ = std::move(next);
  }

  const Block* take(const Edge& edge) {
    const Block& to = function_.blocks[edge.to];
    // No argument can be a parameter of the block it goes to, so the order does not matter.
    for (std::size_t i = 0; i < edge.arguments.size(); ++i) {
      numbers_[to.parameters[i]] = numbers_[edge.arguments[i]];
    }
    return &to;
  }

  std::uint64_t place(const Value& value) const {
    return (value.a == kNoValue ? 0 : std::uint64_t{numbers_[value.a]}) + value.k;
  }

  std::uint32_t load(const Value& value) const {
    const std::uint64_t at = place(value);
    if (at + value.width > packet_.captured.size()) {
      return 0;
    }
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < value.width; ++i) {
      number = number << 8 | packet_.captured[at + i];
    }
    return number;
  }

  // False when the filter ends with 0 here.
  bool step(ValueId id) {
    const Value& value = function_.values[id];
    switch (value.op) {
      case Op::kConstant:
      case Op::kParameter:
        return true;
      case Op::kLength:
        numbers_[id] = packet_.wire_length;
        return true;
      case Op::kAncillary:
        return step_ancillary(id);
      case Op::kLoopState:
        numbers_[id] = loop_state_[value.k];
        return true;
      case Op::kLoad:
        numbers_[id] = load(value);
        return true;
      case Op::kHas:
        numbers_[id] = packet_.captured.size() >= place(value) ? 1 : 0;
        return true;
      case Op::kJoin:
        keys_[id] = key(value.a).append(numbers_[value.b]);
        return true;
      case Op::kIn:
        numbers_[id] = function_.sets[value.k].contains(key(value.a)) ? 1 : 0;
        return true;
      case Op::kNeed:
        return packet_.captured.size() >= place(value);
      case Op::kGuard:
        return numbers_[value.a] != 0;
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
      case Op::kDiv:
      case Op::kMod:
      case Op::kAnd:
      case Op::kOr:
      case Op::kXor:
      case Op::kShl:
      case Op::kShr:
      case Op::kShlModulo:
      case Op::kShrModulo:
      case Op::kNeg:
        numbers_[id] = evaluate_arithmetic(value.op, numbers_[value.a],
                                           value.b == kNoValue ? 0 : numbers_[value.b]);
        return true;
    }
    return true;
  }

  // The key that a value or a join stands for.
  Key key(ValueId id) const {
    return function_.values[id].op == Op::kJoin ? keys_.at(id) : Key::of(numbers_[id]);
  }

  bool step_ancillary(ValueId id) {
    if (packet_.ancillary == nullptr) {
      return false;
    }
    const auto extension = static_cast<cbpf::Extension>(function_.values[id].k);
    const std::optional<std::uint32_t> known = packet_.ancillary->get(extension);
    numbers_[id] = known.value_or(0);
    return known.has_value();
  }

  const Function& function_;
  const cbpf::Packet& packet_;
  std::vector<std::uint32_t> numbers_;
  std::vector<std::uint32_t> loop_state_;
  std::unordered_map<ValueId, Key> keys_;  // Of the joins; few functions have any.
};

}  // namespace

std::uint32_t evaluate_arithmetic(Op op, std::uint32_t a, std::uint32_t b) {
  switch (op) {
    case Op::kAdd:
      return a + b;
    case Op::kSub:
      return a - b;
    case Op::kMul:
      return a * b;
    case Op::kDiv:
      return b == 0 ? 0 : a / b;
    case Op::kMod:
      return b == 0 ? 0 : a % b;
    case Op::kAnd:
      return a & b;
    case Op::kOr:
      return a | b;
    case Op::kXor:
      return a ^ b;
    case Op::kShl:
      return b < 32 ? a << b : 0;
    case Op::kShr:
      return b < 32 ? a >> b : 0;
    case Op::kShlModulo:
      return a << (b % 32);
    case Op::kShrModulo:
      return a >> (b % 32);
    case Op::kNeg:
      return 0 - a;
    case Op::kConstant:
    case Op::kParameter:
    case Op::kLength:
    case Op::kAncillary:
    case Op::kLoopState:
    case Op::kLoad:
    case Op::kHas:
    case Op::kJoin:
    case Op::kIn:
    case Op::kNeed:
    case Op::kGuard:
      return 0;
  }
  return 0;
}

bool evaluate_compare(Compare compare, std::uint32_t a, std::uint32_t b) {
  switch (compare) {
    case Compare::kEq:
      return a == b;
    case Compare::kNe:
      return a != b;
    case Compare::kGt:
      return a > b;
    case Compare::kGe:
      return a >= b;
    case Compare::kLt:
      return a < b;
    case Compare::kLe:
      return a <= b;
    case Compare::kSet:
      return (a & b) != 0;
    case Compare::kClear:
      return (a & b) == 0;
  }
  return false;
}

std::uint32_t evaluate_switch(const Terminator& end, std::uint32_t value) {
  const auto ends_before = [](const Case& range, std::uint32_t number) {
    return range.high < number;
  };
  const auto found = std::lower_bound(end.cases.begin(), end.cases.end(), value, ends_before);
  return found != end.cases.end() && found->low <= value ? found->edge : 0;
}

std::uint32_t evaluate(const Function& function, const cbpf::Packet& packet) {
  return Evaluator(function, packet).run();
}

}  // namespace weir::ir
