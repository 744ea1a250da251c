// Hoists and merges bounds checks, backward and then forward.
//
// Backward: how many bytes does every accepting path from here check for? A path that returns 0
// counts as infinitely many, since it makes no difference whether the filter ends there or at a
// check; where paths part the smaller number counts, because a packet that is too short for one may
// be accepted by the other. A path that repeats the function counts as none. The first check on a
// path can cover that many bytes at once, so that it covers the later ones; a block from which no
// path accepts returns 0 itself.
//
// Forward: a check that earlier ones cover on every path is dropped, and a zero check likewise.
//
// Checks relative to a base are merged like those from the packet's start, each base on its own.
// O(values + edges). Test: tests/translator/opt/merge_needs_test.cpp.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "translator/ir/builder.h"
#include "translator/ir/rewrite.h"
#include "translator/opt/analysis/checked_bytes.h"
#include "translator/opt/passes.h"

namespace weir::opt {
namespace {

using ir::BlockId;
using ir::Op;
using ir::ValueId;

// What every way that accepts asks for. A few bases are enough; those past them are forgotten.
class Required {
 public:
  // That of a place no way accepts from.
  static Required never() {
    Required required;
    required.never_ = true;
    return required;
  }
  bool is_never() const { return never_; }

  // Behind this need: the need joined with what is asked for later.
  void add(ir::Value& need) {
    std::uint32_t& reach = reach_of(need.a);
    need.k = reach = std::max(reach, need.k);
  }
  // Above its definition nobody can ask for a base.
  void forget(ValueId base) {
    std::erase_if(reaches_, [base](const auto& known) { return known.first == base; });
  }
  // Where this way and the other one part.
  void meet(const Required& other) {
    if (other.never_) {
      return;
    }
    if (never_) {
      *this = other;
      return;
    }
    for (auto& [base, reach] : reaches_) {
      std::uint32_t there = 0;
      for (const auto& known : other.reaches_) {
        there = known.first == base ? known.second : there;
      }
      reach = std::min(reach, there);
    }
    std::erase_if(reaches_, [](const auto& known) { return known.second == 0; });
  }

 private:
  static constexpr std::size_t kMaxBases = 16;

  std::uint32_t& reach_of(ValueId base) {
    for (auto& [known, reach] : reaches_) {
      if (known == base) return reach;
    }
    if (reaches_.size() == kMaxBases) {
      reaches_.erase(reaches_.begin());
    }
    return reaches_.emplace_back(base, 0).second;
  }

  bool never_ = false;
  std::vector<std::pair<ValueId, std::uint32_t>> reaches_;  // kNoValue: the packet's beginning.
};

class Merger {
 public:
  explicit Merger(ir::Function& function) : function_(function), builder_(function) {}

  void run() {
    backward();
    ir::remove_unreachable_blocks(function_);
    forward();
  }

 private:
  void backward() {
    std::vector<Required> required(function_.blocks.size());
    for (std::size_t at = function_.blocks.size(); at-- > 0;) {
      ir::Block& block = function_.blocks[at];
      Required& here = required[at];
      here = Required::never();
      for (const ir::Edge& edge : block.terminator.edges) {
        here.meet(required[edge.to]);
      }
      if (block.terminator.end == ir::End::kReturn) {
        const ir::Value& value = function_.values[block.terminator.a];
        if (value.op != Op::kConstant || value.k != 0) {
          here = {};
        }
      } else if (block.terminator.end == ir::End::kRepeat) {
        here = {};
      }
      if (here.is_never()) {
        block.body.clear();
        block.terminator = {
            .end = ir::End::kReturn, .a = builder_.constant(0), .origin = block.terminator.origin};
        continue;
      }
      for (std::size_t i = block.body.size(); i-- > 0;) {
        ir::Value& value = function_.values[block.body[i]];
        if (value.op == Op::kNeed) {
          here.add(value);
        } else {
          here.forget(block.body[i]);
        }
      }
      for (const ValueId parameter : block.parameters) {
        here.forget(parameter);
      }
    }
  }

  void forward() {
    std::vector<CheckedBytes> known(function_.blocks.size());
    std::vector<bool> reached(function_.blocks.size());
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      ir::Block& block = function_.blocks[at];
      CheckedBytes& here = known[at];
      std::erase_if(block.body, [&](ValueId id) {
        const ir::Value& value = function_.values[id];
        if (!ir::is_effect(value.op)) {
          return false;
        }
        const bool covered = here.covers(value);
        here.add(value);
        return covered;
      });
      for (const ir::Edge& edge : block.terminator.edges) {
        if (reached[edge.to]) {
          known[edge.to].meet(here);
        } else {
          known[edge.to] = here;
          reached[edge.to] = true;
        }
      }
    }
  }

  ir::Function& function_;
  ir::FunctionBuilder builder_;
};

}  // namespace

void merge_needs(ir::Function& function) { Merger(function).run(); }

}  // namespace weir::opt
