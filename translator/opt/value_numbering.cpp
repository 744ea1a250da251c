// Global value numbering over the dominator tree: of values that compute the same, the first on the
// path is kept (Briggs, Cooper and Simpson, "Value Numbering", SP&E 1997, the dominator-based
// form). Loads are values like any other, by width, base and offset, since a packet does not
// change. Values are brought to a normal form first (analysis/value_classes.h);
// analysis/rewrite_values.h has the walk. Test: tests/translator/opt/value_numbering_test.cpp.
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
