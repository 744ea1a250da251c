#include "translator/opt/classic/drop_implied_checks.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "translator/ir/rewrite.h"
#include "translator/opt/analysis/value_classes.h"

namespace weir::lower::classic {
namespace {

using ir::BlockId;
using ir::Op;
using ir::Value;
using ir::ValueId;

constexpr std::uint64_t kRejects = std::numeric_limits<std::uint64_t>::max();

// A need with its base as a class, so that equal bases look equal.
struct Asked {
  opt::ClassId base = opt::kNoClass;
  std::uint64_t reach = 0;
};

class EarlyNeeds {
 public:
  explicit EarlyNeeds(ir::Function& function)
      : function_(function),
        expressions_(function),
        early_(function.values.size()),
        reach_(function.blocks.size(), kRejects),
        accepts_(function.blocks.size()),
        seen_(function.blocks.size()) {}

  bool run() {
    for (std::size_t at = function_.blocks.size(); at-- > 0;) {
      sweep(static_cast<BlockId>(at));
    }
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      const std::vector<ValueId>& body = function_.blocks[at].body;
      for (std::size_t i = 0; i < body.size(); ++i) {
        const Value& value = function_.values[body[i]];
        if (value.op == Op::kNeed && value.a != ir::kNoValue && answered(at, i)) {
          drop(body[i]);
        }
      }
    }
    if (any_) {
      ir::remove_values(function_, early_);
    }
    return any_;
  }

 private:
  void drop(ValueId id) {
    early_[id] = true;
    any_ = true;
  }

  Asked asked(const Value& need) const {
    return {need.a == ir::kNoValue ? opt::kNoClass : expressions_.of(need.a), need.k};
  }

  bool may_accept(const ir::Terminator& end) const {
    const Value& returned = function_.values[end.a];
    return returned.op != Op::kConstant || returned.k != 0;
  }

  // From the block's end to its beginning: how many bytes are asked for wherever it accepts.
  void sweep(BlockId at) {
    const ir::Block& block = function_.blocks[at];
    std::uint64_t reach = kRejects;
    if (block.terminator.end == ir::End::kReturn) {
      accepts_[at] = may_accept(block.terminator);
      reach = accepts_[at] ? 0 : kRejects;
    }
    for (const ir::Edge& edge : block.terminator.edges) {
      accepts_[at] = accepts_[at] || accepts_[edge.to];
      reach = std::min(reach, reach_[edge.to]);
    }
    for (std::size_t i = block.body.size(); i-- > 0;) {
      const Value& value = function_.values[block.body[i]];
      if (value.op == Op::kNeed && value.a == ir::kNoValue) {
        if (reach >= value.k) {
          drop(block.body[i]);
        }
        reach = std::max<std::uint64_t>(reach, value.k);
      }
    }
    reach_[at] = reach;
  }

  // Follows all ways from behind the need until each has an answer or rejects.
  bool answered(BlockId at, std::size_t index) {
    const Asked question = asked(function_.values[function_.blocks[at].body[index]]);
    ++round_;
    todo_.clear();
    if (!go_through(at, index + 1, question)) {
      return false;
    }
    while (!todo_.empty()) {
      const BlockId next = todo_.back();
      todo_.pop_back();
      if (seen_[next] == round_ || !accepts_[next]) {
        continue;
      }
      seen_[next] = round_;
      if (!go_through(next, 0, question)) {
        return false;
      }
    }
    return true;
  }

  bool go_through(BlockId at, std::size_t first, const Asked& question) {
    const ir::Block& block = function_.blocks[at];
    for (std::size_t i = first; i < block.body.size(); ++i) {
      const Value& value = function_.values[block.body[i]];
      if (value.op == Op::kNeed && value.k >= question.reach &&
          asked(value).base == question.base) {
        return true;
      }
    }
    for (const ir::Edge& edge : block.terminator.edges) {
      todo_.push_back(edge.to);
    }
    return block.terminator.end != ir::End::kReturn || !may_accept(block.terminator);
  }

  ir::Function& function_;
  const opt::ValueClasses expressions_;
  std::vector<bool> early_;           // By value.
  std::vector<std::uint64_t> reach_;  // By block, at its beginning.
  std::vector<bool> accepts_;         // By block, whether it leads to an accepting return.
  std::vector<std::uint32_t> seen_;
  std::vector<BlockId> todo_;
  std::uint32_t round_ = 0;
  bool any_ = false;
};

}  // namespace

bool drop_implied_checks(ir::Function& function) { return EarlyNeeds(function).run(); }

}  // namespace weir::lower::classic
