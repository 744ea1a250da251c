// Carries facts along the edges of a function, and folds what they decide.
#pragma once

#include <cstdint>
#include <vector>

#include "translator/ir/builder.h"
#include "translator/ir/function.h"
#include "translator/opt/analysis/checked_bytes.h"
#include "translator/opt/analysis/value_classes.h"
#include "translator/opt/analysis/value_facts.h"

namespace weir::opt {

// One sweep in block order. As edges go forward, all that is known on the ways into a block is
// known when the sweep comes to it; a block that only impossible edges lead to is left out.
// Branches that are decided become jumps, values that are known become constants where they are
// returned or handed on. A pass that derives from it may lead an edge elsewhere before it is
// followed.
//
// O(n log n) for n values and edges.
class FactPropagation {
 public:
  explicit FactPropagation(ir::Function& function);
  FactPropagation(const FactPropagation&) = delete;
  FactPropagation& operator=(const FactPropagation&) = delete;
  virtual ~FactPropagation() = default;

  // Sweeps, and writes the function anew.
  void run();

 protected:
  // Called for each edge that can be taken, with what is known on it.
  virtual void redirect(ir::Edge&, FactState&, const CheckedBytes&) {}

  // Asked of each branch that is not decided, with what is known on either side: the edge that may
  // be taken whatever the answer is; kNone when there is none.
  virtual std::uint32_t needless(const ir::Terminator&, FactState, FactState, const CheckedBytes&) {
    return kNone;
  }

  // The compare of a branch as classes, simplified.
  Comparison comparison(const ir::Terminator& end);
  // The edge a decided terminator takes; kNone when several can be taken.
  static constexpr std::uint32_t kNone = 0xffffffff;
  std::uint32_t decided_switch(const ir::Terminator& end, const Fact& fact) const;

  ir::Function& function_;
  ValueClasses expressions_;
  FactTable facts_;
  ir::FunctionBuilder builder_;

 private:
  void visit(ir::BlockId at);
  void visit_branch(ir::BlockId at, FactState state);
  void visit_switch(ir::BlockId at, FactState state);
  void follow_only(ir::BlockId at, std::uint32_t edge, FactState state);
  void follow(ir::BlockId at, std::uint32_t edge, FactState state);
  void make_constant(FactState state, ir::ValueId& id);

  std::vector<FactState> states_;  // At block entries.
  std::vector<CheckedBytes> known_;
  std::vector<bool> reached_;
};

}  // namespace weir::opt
