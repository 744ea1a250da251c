// Implied-branch folding: a branch whose outcome is known on every path to it becomes a jump.
//
// What a branch tells about a value holds on its edges and after them until paths join: ranges,
// bits, and numbers that a value does not equal; where a value is computed from another, facts
// about the one give facts about the other. That is the predicate propagation of BPF+ (Begel,
// McCanne and Graham, SIGCOMM 1999) with ranges and bits added. See fact_propagation.h and
// analysis/value_facts.h. Test: tests/translator/opt/fold_implied_branches_test.cpp.
#include "translator/ir/rewrite.h"
#include "translator/opt/fact_propagation.h"
#include "translator/opt/passes.h"

namespace weir::opt {

void facts(ir::Function& function) {
  ir::remove_unreachable_blocks(function);
  FactPropagation(function).run();
}

}  // namespace weir::opt
