// One way to visit what values, terminators and edges read.
#pragma once

#include "translator/ir/function.h"

namespace weir::ir {

// Calls visit(ValueId&) (or const ValueId&) for each operand that is there.
template <typename AnyValue, typename Visit>
void for_each_operand(AnyValue& value, Visit&& visit) {
  if (value.a != kNoValue) visit(value.a);
  if (value.b != kNoValue) visit(value.b);
}

// The same for a terminator: what it compares, switches on or returns, then its edges' arguments
// and the loop state.
template <typename AnyTerminator, typename Visit>
void for_each_terminator_operand(AnyTerminator& end, Visit&& visit) {
  if (end.a != kNoValue) visit(end.a);
  if (end.b != kNoValue) visit(end.b);
  for (auto& edge : end.edges) {
    for (auto& argument : edge.arguments) {
      visit(argument);
    }
  }
  for (auto& word : end.state) {
    visit(word);
  }
}

// The same for everything in the function, in block order.
template <typename AnyFunction, typename Visit>
void for_each_use(AnyFunction& function, Visit&& visit) {
  for (auto& block : function.blocks) {
    for (const ValueId id : block.body) {
      for_each_operand(function.values[id], visit);
    }
    for_each_terminator_operand(block.terminator, visit);
  }
}

}  // namespace weir::ir
