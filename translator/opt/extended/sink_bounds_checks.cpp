// One sweep over the blocks. What is asked for and not checked yet travels on if all ways by which
// the packet could still be accepted lead to one block, at once or by blocks that only test what is
// known already, and no other way leads there; else it is checked where the ways part.
#include "translator/opt/extended/sink_bounds_checks.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/graph.h"
#include "translator/opt/analysis/checked_bytes.h"

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

  // Where every way goes on that can still accept, past blocks that do nothing but test, if no
  // other way leads there.
  std::optional<BlockId> only_way_on(const ir::Terminator& end) const {
    constexpr std::size_t kMaxTests = 16;
    std::vector<const ir::Terminator*> tests = {&end};
    std::optional<BlockId> next;
    std::size_t ways = 0;
    for (std::size_t i = 0; i < tests.size(); ++i) {
      for (const ir::Edge& edge : tests[i]->edges) {
        if (rejects(edge.to)) {
          continue;
        }
        if (only_tests(edge.to) && tests.size() < kMaxTests) {
          tests.push_back(&function_.blocks[edge.to].terminator);
          continue;
        }
        if (next && *next != edge.to) {
          return std::nullopt;
        }
        next = edge.to;
        ++ways;
      }
    }
    return next && predecessors_.of(*next).size() == ways ? next : std::nullopt;
  }

  bool only_tests(BlockId at) const {
    const ir::Block& block = function_.blocks[at];
    return block.body.empty() && block.parameters.empty() && !block.terminator.edges.empty() &&
           predecessors_.of(at).size() == 1;
  }

  void leave(const ir::Terminator& end) {
    if (rejects(end)) {
      return;
    }
    if (!now_.empty()) {
      const bool open =
          end.edges.empty() || std::any_of(end.edges.begin(), end.edges.end(),
                                           [&](const auto& edge) { return !rejects(edge.to); });
      if (const std::optional<BlockId> next = only_way_on(end)) {
        waiting_[*next] = std::move(now_);
      } else if (open) {
        check_all();
      }
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
  std::vector<opt::CheckedBytes> known_;  // By block: what is checked on every way there.
  std::vector<bool> reached_;
  std::vector<Waiting> waiting_;  // By block: what the only way there has asked for.
  opt::CheckedBytes here_;        // At this moment.
  Waiting now_;
  std::vector<ValueId> body_;
};

}  // namespace

void sink_bounds_checks(ir::Function& function) { Delay(function).run(); }

}  // namespace weir::lower
