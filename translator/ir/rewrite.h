// What passes do to functions: count uses, replace values, drop blocks, tidy up. All linear.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "translator/ir/function.h"

namespace weir::ir {

// How often each value is read, by ValueId.
std::vector<std::uint32_t> count_uses(const Function& function);

// Which values stand for which others; collected first, applied at once, so that a pass replaces
// any number of values in one sweep.
class Replacements {
 public:
  // O(values) once.
  explicit Replacements(const Function& function);

  // From now on `by` stands for `old`. `by` must not lead back to `old`.
  void replace(ValueId old, ValueId by);
  // What stands for the value in the end; itself when nothing does. Amortised O(1).
  ValueId find(ValueId id);
  bool any() const { return any_; }
  // Puts into every operand what stands for it. Values that were replaced stay in their bodies.
  void apply(Function& function);

 private:
  std::vector<ValueId> by_;
  bool any_ = false;
};

// Drops the values and effects that `dead` (by ValueId; what is past its end lives) names from
// bodies and parameters, and the arguments for such parameters from the edges. Nothing that stays
// may use them.
void remove_values(Function& function, const std::vector<bool>& dead);

// Drops the blocks that no way from the entry leads to and numbers the others in their order.
// Gives how many it dropped.
std::size_t remove_unreachable_blocks(Function& function);

// Drops from Function::values what stands in no body, is no parameter and no constant in use, and
// numbers the rest in order of appearance; the same for sets.
void compact(Function& function);

}  // namespace weir::ir
