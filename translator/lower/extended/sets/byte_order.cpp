#include "translator/lower/extended/sets/byte_order.h"

#include "translator/lower/extended/sets/set_plan.h"

namespace weir::lower {
namespace {

using ir::Compare;
using ir::End;
using ir::Op;
using ir::Value;
using ir::ValueId;

class Analysis {
 public:
  explicit Analysis(const ir::Function& function)
      : function_(function),
        host_order_(function.values.size(), false),
        widths_(function.values.size(), 0) {}

  std::vector<std::uint8_t> run() && {
    for (auto block = function_.blocks.rbegin(); block != function_.blocks.rend(); ++block) {
      read(block->terminator);
      for (auto v = block->body.rbegin(); v != block->body.rend(); ++v) {
        read(*v);
      }
    }
    for (const ir::Block& block : function_.blocks) {
      for (const ValueId v : block.body) {
        widths_[v] = host_order_[v] ? std::uint8_t{0} : width(function_.values[v]);
      }
    }
    return std::move(widths_);
  }

 private:
  // Whether `v` is a constant that a field of `width` bytes can hold.
  bool fits(ValueId v, std::uint8_t width) const {
    return function_.values[v].op == Op::kConstant &&
           (width == 4 || function_.values[v].k <= 0xffff);
  }

  void need_host_order(ValueId v) {
    if (v != ir::kNoValue) {
      host_order_[v] = true;
    }
  }

  // The field's width if `v` is a load of 2 or 4 bytes or such a load combined with constants.
  std::uint8_t shape(ValueId v) const {
    for (;;) {
      const Value& value = function_.values[v];
      if (value.op == Op::kLoad) {
        return value.width == 1 ? std::uint8_t{0} : value.width;
      }
      if (value.op != Op::kAnd && value.op != Op::kOr && value.op != Op::kXor) {
        return 0;
      }
      const bool left = function_.values[value.a].op == Op::kConstant;
      const bool right = function_.values[value.b].op == Op::kConstant;
      if (left == right) {
        return 0;
      }
      v = left ? value.b : value.a;
    }
  }

  void read(const ir::Terminator& terminator) {
    for (const ir::Edge& edge : terminator.edges) {
      for (const ValueId argument : edge.arguments) {
        need_host_order(argument);
      }
    }
    for (const ValueId word : terminator.state) {
      need_host_order(word);
    }
    const bool equality =
        terminator.end == End::kBranch &&
        (terminator.compare == Compare::kEq || terminator.compare == Compare::kNe ||
         terminator.compare == Compare::kSet || terminator.compare == Compare::kClear);
    if (equality &&
        (fits(terminator.b, shape(terminator.a)) || fits(terminator.a, shape(terminator.b)))) {
      return;
    }
    need_host_order(terminator.a);
    need_host_order(terminator.b);
  }

  void read(ValueId v) {
    const Value& value = function_.values[v];
    const std::uint8_t of_shape = shape(v);
    const bool combines = value.op == Op::kAnd || value.op == Op::kOr || value.op == Op::kXor;
    if (combines && of_shape != 0 && !host_order_[v]) {
      const ValueId constant = function_.values[value.a].op == Op::kConstant ? value.a : value.b;
      if (fits(constant, of_shape)) {
        return;
      }
    }
    if (value.op == Op::kIn && shape(value.a) != 0 &&
        suits_network_order(function_.sets[value.k])) {
      return;
    }
    need_host_order(value.a);
    need_host_order(value.b);
    if (combines) {
      need_host_order(v);
    }
  }

  std::uint8_t width(const Value& value) const {
    if (value.op == Op::kLoad) {
      return value.width == 1 ? std::uint8_t{0} : value.width;
    }
    if (value.op != Op::kAnd && value.op != Op::kOr && value.op != Op::kXor) {
      return 0;
    }
    const std::uint8_t left = widths_[value.a];
    const std::uint8_t right = widths_[value.b];
    return left != 0 ? left : right;
  }

  const ir::Function& function_;
  std::vector<bool> host_order_;
  std::vector<std::uint8_t> widths_;
};

}  // namespace

std::vector<std::uint8_t> network_order_widths(const ir::Function& function) {
  return Analysis(function).run();
}

}  // namespace weir::lower
