#include "translator/lower/extended/regalloc/spill.h"

#include <utility>

namespace weir::lower {
namespace {

using machine::End;
using machine::Function;
using machine::Instruction;
using machine::kNone;
using machine::Op;
using machine::Vreg;

class Rewriter {
 public:
  Rewriter(Function& function, const std::vector<bool>& marked)
      : function_(function), marked_(marked) {}

  void rewrite(machine::Block& block) {
    body_.clear();
    for (Instruction instruction : block.body) {
      origin_ = instruction.origin;
      reload(instruction.a, instruction.b.reg);
      const Vreg home = instruction.dst;
      if (!is_marked(home)) {
        body_.push_back(instruction);
        continue;
      }
      instruction.dst = new_short_lived();
      body_.push_back(instruction);
      body_.push_back({.op = Op::kSpill, .dst = home, .a = instruction.dst, .origin = origin_});
    }
    origin_ = block.terminator.origin;
    reload(block.terminator.a, block.terminator.b.reg);
    block.body = std::move(body_);
  }

 private:
  bool is_marked(Vreg vreg) const { return vreg < marked_.size() && marked_[vreg]; }

  Vreg new_short_lived() {
    const Vreg vreg = function_.new_vreg();
    function_.vregs[vreg].spillable = false;
    return vreg;
  }

  void reload(Vreg& a, Vreg& b) {
    const bool same = a == b;
    if (is_marked(a)) {
      a = load(a);
    }
    if (same) {
      b = a;
    } else if (is_marked(b)) {
      b = load(b);
    }
  }

  Vreg load(Vreg home) {
    const Vreg vreg = new_short_lived();
    body_.push_back({.op = Op::kReload, .dst = vreg, .a = home, .origin = origin_});
    return vreg;
  }

  Function& function_;
  const std::vector<bool>& marked_;
  std::vector<Instruction> body_;
  std::uint32_t origin_ = kNone;
};

}  // namespace

void move_to_stack(Function& function, const std::vector<bool>& marked) {
  Rewriter rewriter(function, marked);
  for (const machine::BlockId id : function.order) {
    rewriter.rewrite(function.blocks[id]);
  }
  for (Vreg vreg = 0; vreg < marked.size(); ++vreg) {
    if (marked[vreg]) {
      function.vregs[vreg].spilled = true;
    }
  }
}

}  // namespace weir::lower
