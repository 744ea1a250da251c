// A builder at a place, which knows how large each value it made can be.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "translator/ir/bounds.h"
#include "translator/ir/builder.h"

namespace weir::ir {

class BoundedBuilder {
 public:
  explicit BoundedBuilder(Function& function) : builder_(function) {}

  BlockId add_block() { return builder_.add_block(); }
  // The block that all else goes to.
  void start(BlockId block) { block_ = block; }
  BlockId block() const { return block_; }
  void set_origin(std::uint32_t origin) { builder_.set_origin(origin); }

  ValueId constant(std::uint32_t k) {
    const ValueId id = builder_.constant(k);
    know(id, k);
    return id;
  }
  ValueId append(const Value& value) {
    const ValueId id = builder_.append(block_, value);
    const bool b_is_constant = value.b != kNoValue && is_constant(value.b);
    know(id, upper_bound(value, bound_of(value.a), bound_of(value.b), b_is_constant));
    return id;
  }
  ValueId arithmetic(Op op, ValueId a, ValueId b) { return append({.op = op, .a = a, .b = b}); }
  // A parameter of the current block; the caller knows what its edges will bring.
  ValueId add_parameter(std::uint32_t bound) {
    const ValueId id = builder_.add_parameter(block_);
    know(id, bound);
    return id;
  }

  void need(ValueId base, std::uint32_t k) { builder_.need(block_, base, k); }
  void guard(ValueId value) { builder_.guard(block_, value); }

  void end_return(ValueId value) { builder_.end_return(block_, value); }
  void end_jump(Edge edge) { builder_.end_jump(block_, std::move(edge)); }
  void end_branch(Compare compare, ValueId a, ValueId b, Edge yes, Edge no) {
    builder_.end_branch(block_, compare, a, b, std::move(yes), std::move(no));
  }

  bool is_constant(ValueId id) { return value(id).op == Op::kConstant; }
  std::uint32_t number(ValueId constant) { return value(constant).k; }
  // The largest number the value can be.
  std::uint32_t bound_of(ValueId id) const { return id < known_.size() ? known_[id] : kUnbounded; }

 private:
  const Value& value(ValueId id) { return builder_.function().values[id]; }
  void know(ValueId id, std::uint32_t bound) {
    if (known_.size() <= id) {
      known_.resize(id + 1, kUnbounded);
    }
    known_[id] = bound;
  }

  FunctionBuilder builder_;
  BlockId block_ = 0;
  std::vector<std::uint32_t> known_;  // By ValueId.
};

}  // namespace weir::ir
