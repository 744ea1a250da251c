// One sweep over the blocks. What is asked for and not checked yet travels along an edge if that is
// the only one out of its block by which the packet could still be accepted, and the only one into
// the next; else it is checked where the ways part.
#include "translator/lower/late_needs.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/graph.h"
#include "translator/opt/known_needs.h"

namespace weir::lower {
namespace {

using ir::BlockId;
using ir::kNoValue;
using ir::Op;
using ir::Value;
using ir::ValueId;

class Delay {
 public:
  explicit Delay(ir::Function& function)
      : function_(function),
        predecessors_(function),
        known_(function.blocks.size()),
        reached_(function.blocks.size(), false),
        waiting_(function.blocks.size()) {}

  void run() {
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      rewrite(at);
    }
  }

 private:
  // Needs by their ValueId, at most one a base.
  using Waiting = std::vector<ValueId>;

  void rewrite(BlockId at) {
    here_ = known_[at];
    now_ = std::move(waiting_[at]);
    body_.clear();
    for (const ValueId id : function_.blocks[at].body) {
      const Value& value = function_.values[id];
      if (value.op == Op::kNeed) {
        ask(id);
        continue;
      }
      if (value.op == Op::kLoad) {
        check_for(value);
      }
      if (value.op == Op::kGuard) {
        here_.add(value);
      }
      body_.push_back(id);
    }
    leave(function_.blocks[at].terminator);
    function_.blocks[at].body = body_;
  }

  void ask(ValueId id) {
    const Value& need = function_.values[id];
    if (here_.covers(need)) {
      return;
    }
    for (ValueId& other : now_) {
      if (function_.values[other].a == need.a) {
        other = function_.values[other].k < need.k ? id : other;
        return;
      }
    }
    now_.push_back(id);
  }

  // Checks what the load waits for: the need of its base, or from the packet's beginning where the
  // base is known to be small.
  void check_for(const Value& load) {
    const auto covered = [&] {
      return here_.covers({.op = Op::kNeed, .k = load.k + load.width, .a = load.a});
    };
    const bool plain = load.a == kNoValue || function_.values[load.a].op != Op::kConstant;
    if (plain && load.k <= UINT32_MAX - load.width) {
      if (!covered()) {
        check(load.a);
      }
      if (covered()) {
        return;
      }
    }
    check_all();
  }

  void check(ValueId base) {
    std::erase_if(now_, [&](ValueId id) {
      if (function_.values[id].a != base) {
        return false;
      }
      here_.add(function_.values[id]);
      body_.push_back(id);
      return true;
    });
  }
  void check_all() {
    while (!now_.empty()) {
      check(function_.values[now_.front()].a);
    }
  }

  bool rejects(const ir::Terminator& end) const {
    const bool constant =
        end.end == ir::End::kReturn && function_.values[end.a].op == Op::kConstant;
    return constant && function_.values[end.a].k == 0;
  }
  bool rejects(BlockId block) const {
    return function_.blocks[block].body.empty() && rejects(function_.blocks[block].terminator);
  }

  void leave(const ir::Terminator& end) {
    if (rejects(end)) {
      return;
    }
    std::optional<BlockId> only;
    std::size_t open = 0;
    for (const ir::Edge& edge : end.edges) {
      if (!rejects(edge.to)) {
        only = edge.to;
        ++open;
      }
    }
    if (open == 1 && predecessors_.of(*only).size() == 1) {
      waiting_[*only] = std::move(now_);
    } else if (open != 0 || end.edges.empty()) {
      check_all();
    }
    now_.clear();
    for (const ir::Edge& edge : end.edges) {
      if (reached_[edge.to]) {
        known_[edge.to].meet(here_);
      } else {
        known_[edge.to] = here_;
        reached_[edge.to] = true;
      }
    }
  }

  ir::Function& function_;
  const ir::Predecessors predecessors_;
  std::vector<opt::KnownNeeds> known_;  // By block: what is checked on every way there.
  std::vector<bool> reached_;
  std::vector<Waiting> waiting_;  // By block: what the only way there has asked for.
  opt::KnownNeeds here_;          // At this moment.
  Waiting now_;
  std::vector<ValueId> body_;
};

}  // namespace

void delay_needs(ir::Function& function) { Delay(function).run(); }

}  // namespace weir::lower
