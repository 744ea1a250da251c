// Global value numbering over the dominator tree: of values that compute the same, the first on the
// way stays (Briggs, Cooper and Simpson, "Value Numbering", SP&E 1997, its dominator-based form).
// Loads are values like any other, by width, base and offset, since a packet does not change.
// Before they are compared, values come into a normal form; see expressions.h for it, and
// rewrite_values.h for the walk.
#include "translator/ir/rewrite.h"
#include "translator/opt/analysis/rewrite_values.h"
#include "translator/opt/analysis/value_classes.h"
#include "translator/opt/passes.h"

namespace weir::opt {

void value_numbering(ir::Function& function) {
  ir::remove_unreachable_blocks(function);
  ValueClasses expressions(function);
  rewrite_values(function, expressions);
  dead_code(function);
}

}  // namespace weir::opt
