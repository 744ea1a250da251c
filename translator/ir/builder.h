// Makes functions: the one way in which values get into them, used by build, parse and the passes.
#pragma once

#include <cstdint>
#include <vector>

#include "translator/ir/function.h"

namespace weir::ir {

// Appends to a function and keeps its constants interned: one value a number, so that two operands
// are equal exactly when their ids are. The function must outlive the builder, and nobody else may
// add constants meanwhile.
class FunctionBuilder {
 public:
  // Takes up the constants that are there already. O(values).
  explicit FunctionBuilder(Function& function);

  Function& function() { return function_; }

  // The value of the number k. Amortised O(1).
  ValueId constant(std::uint32_t k);

  BlockId add_block();
  ValueId add_parameter(BlockId block);

  // Makes a value that is in no body yet.
  ValueId add_value(const Value& value);
  // Makes a value or effect at the end of the block's body.
  ValueId append(BlockId block, const Value& value);

  // The same, one for each shape of value.
  ValueId arithmetic(BlockId block, Op op, ValueId a, ValueId b = kNoValue);
  ValueId load(BlockId block, std::uint8_t width, ValueId base, std::uint32_t k);
  void need(BlockId block, ValueId base, std::uint32_t k);
  void guard(BlockId block, ValueId value);

  void end_return(BlockId block, ValueId value);
  void end_jump(BlockId block, Edge edge);
  void end_branch(BlockId block, Compare compare, ValueId a, ValueId b, Edge yes, Edge no);

  // The classic instruction that what is made from now on comes from.
  void set_origin(std::uint32_t origin) { origin_ = origin; }

 private:
  void grow();
  std::size_t slot_of(std::uint32_t k) const;

  Function& function_;
  // Open addressing, a power of two long, at most half full; kNoValue is an empty slot.
  std::vector<ValueId> slots_;
  std::size_t constants_ = 0;
  std::uint32_t origin_ = kNoOrigin;
};

}  // namespace weir::ir
