// Facts along edges: what a branch has told is known on its edges, and on all that follows until
// other ways come in. Ranges, bits, and numbers that a value is not; where a value is computed from
// another, what is known of the one says something of the other. So the second test of one thing is
// folded, in whatever form it comes (the predicate propagation of BPF+, SIGCOMM 1999, with ranges
// and bits added). See fact_propagation.h and value_facts.h.
#include "translator/ir/rewrite.h"
#include "translator/opt/fact_propagation.h"
#include "translator/opt/passes.h"

namespace weir::opt {

void facts(ir::Function& function) {
  ir::remove_unreachable_blocks(function);
  FactPropagation(function).run();
}

}  // namespace weir::opt
