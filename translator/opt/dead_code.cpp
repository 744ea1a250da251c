// Dead code elimination: drops blocks, values and parameters that no effect, branch or return uses.
//
// Edges go forward, so one backward sweep suffices: when it reaches a block, it has seen every use
// of what the block defines, and of the parameters that its edges feed. O(values + edges).
// Test: tests/translator/opt/dead_code_test.cpp.
#include <cstddef>
#include <vector>

#include "translator/ir/operands.h"
#include "translator/ir/rewrite.h"
#include "translator/opt/passes.h"

namespace weir::opt {

void dead_code(ir::Function& function) {
  ir::remove_unreachable_blocks(function);
  std::vector<bool> dead(function.values.size(), true);
  const auto use = [&dead](ir::ValueId id) { dead[id] = false; };
  for (std::size_t at = function.blocks.size(); at-- > 0;) {
    const ir::Block& block = function.blocks[at];
    const ir::Terminator& end = block.terminator;
    if (end.a != ir::kNoValue) use(end.a);
    if (end.b != ir::kNoValue) use(end.b);
    for (const ir::Edge& edge : end.edges) {
      const std::vector<ir::ValueId>& parameters = function.blocks[edge.to].parameters;
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (!dead[parameters[i]]) use(edge.arguments[i]);
      }
    }
    for (const ir::ValueId word : end.state) {
      use(word);
    }
    for (std::size_t i = block.body.size(); i-- > 0;) {
      const ir::ValueId id = block.body[i];
      const ir::Value& value = function.values[id];
      if (ir::is_effect(value.op)) {
        use(id);
      }
      if (!dead[id]) {
        ir::for_each_operand(value, use);
      }
    }
  }
  ir::remove_values(function, dead);
  ir::compact(function);
}

}  // namespace weir::opt
