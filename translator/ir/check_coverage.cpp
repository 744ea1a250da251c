// Needs from the packet's beginning are one number a block: how many bytes are known to be there.
// Needs of a base, and guards, are facts about a value; nearly always they stand in the block of
// the load, so only what is left is looked for backward through the graph.
#include "translator/ir/check_coverage.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

#include "translator/ir/bounds.h"
#include "translator/ir/graph.h"

namespace weir::ir {
namespace {

enum class FactKind : std::uint8_t { kNeed, kGuard };

// At some place in `block` it is known that base + reach bytes are there (kNeed), or that base is
// not 0 (kGuard, reach 0).
struct Fact {
  FactKind kind = FactKind::kNeed;
  ValueId base = kNoValue;
  std::uint64_t reach = 0;
  BlockId block = 0;
  ValueId value = kNoValue;  // A question's load or division.
};

bool by_subject(const Fact& x, const Fact& y) {
  return std::tie(x.kind, x.base, x.reach, x.block) < std::tie(y.kind, y.base, y.reach, y.block);
}

class Coverage {
 public:
  explicit Coverage(const Function& function)
      : function_(function),
        predecessors_(function),
        bounds_(upper_bounds(function)),
        bytes_(function.blocks.size()),
        local_(function.values.size()) {}

  std::optional<Uncovered> run() {
    for (BlockId block = 0; block < function_.blocks.size(); ++block) {
      if (auto uncovered = scan(block)) {
        return uncovered;
      }
    }
    return answer();
  }

 private:
  struct Local {
    BlockId block = kNoValue;
    std::uint64_t reach = 0;  // The farthest need of this base in the block so far.
    BlockId guarded = kNoValue;
  };

  bool is_constant(ValueId id) const { return function_.values[id].op == Op::kConstant; }

  // A constant base is a place from the packet's beginning.
  bool is_absolute(const Value& value) const { return value.a == kNoValue || is_constant(value.a); }
  std::uint64_t absolute(const Value& value) const {
    return (value.a == kNoValue ? 0 : std::uint64_t{function_.values[value.a].k}) + value.k;
  }

  // Goes through the block, remembers its facts and what it leaves to be asked.
  std::optional<Uncovered> scan(BlockId block) {
    std::uint64_t bytes = known_at_entry(block);
    for (const ValueId id : function_.blocks[block].body) {
      const Value& value = function_.values[id];
      switch (value.op) {
        case Op::kNeed:
          if (is_absolute(value)) {
            bytes = std::max(bytes, absolute(value));
          } else {
            add_need(block, value);
          }
          break;
        case Op::kGuard:
          local_[value.a].guarded = block;
          facts_.push_back({.kind = FactKind::kGuard, .base = value.a, .block = block});
          break;
        case Op::kLoad:
          if (!scan_load(block, id, bytes)) {
            return Uncovered{block, id, "loads what no need on some way here has covered"};
          }
          break;
        case Op::kDiv:
        case Op::kMod:
          if (!scan_division(block, id)) {
            return Uncovered{block, id, "divides by the constant 0"};
          }
          break;
        case Op::kConstant:
        case Op::kParameter:
        case Op::kLength:
        case Op::kAncillary:
        case Op::kLoopState:
        case Op::kAdd:
        case Op::kSub:
        case Op::kMul:
        case Op::kAnd:
        case Op::kOr:
        case Op::kXor:
        case Op::kShl:
        case Op::kShr:
        case Op::kShlModulo:
        case Op::kShrModulo:
        case Op::kNeg:
        case Op::kHas:
        case Op::kJoin:
        case Op::kIn:
          break;
      }
    }
    bytes_[block] = bytes;
    return std::nullopt;
  }

  std::uint64_t known_at_entry(BlockId block) const {
    const std::span<const Way> ways = predecessors_.of(block);
    std::uint64_t bytes = ways.empty() ? 0 : UINT64_MAX;
    for (const Way& way : ways) {
      bytes = std::min(bytes, bytes_[way.from]);
    }
    return bytes;
  }

  void add_need(BlockId block, const Value& value) {
    Local& local = local_[value.a];
    local.reach = std::max<std::uint64_t>(local.block == block ? local.reach : 0, value.k);
    local.block = block;
    facts_.push_back({.base = value.a, .reach = value.k, .block = block});
  }

  // False when the load is certainly not covered.
  bool scan_load(BlockId block, ValueId id, std::uint64_t bytes) {
    const Value& value = function_.values[id];
    if (is_absolute(value)) {
      return absolute(value) + value.width <= bytes;
    }
    const std::uint64_t reach = std::uint64_t{value.k} + value.width;
    const Local& local = local_[value.a];
    if ((local.block != block || local.reach < reach) && bounds_[value.a] + reach > bytes) {
      questions_.push_back({.base = value.a, .reach = reach, .block = block, .value = id});
    }
    return true;
  }

  bool scan_division(BlockId block, ValueId id) {
    const ValueId by = function_.values[id].b;
    if (is_constant(by)) {
      return function_.values[by].k != 0;
    }
    if (local_[by].guarded != block) {
      questions_.push_back({.kind = FactKind::kGuard, .base = by, .block = block, .value = id});
    }
    return true;
  }

  // Questions about one subject and one reach are answered together.
  std::optional<Uncovered> answer() {
    std::sort(facts_.begin(), facts_.end(), by_subject);
    std::sort(questions_.begin(), questions_.end(), by_subject);
    seen_.assign(function_.blocks.size(), 0);
    knows_.assign(function_.blocks.size(), 0);
    for (std::size_t i = 0; i < questions_.size(); ++i) {
      const Fact& question = questions_[i];
      const bool same = i > 0 && questions_[i - 1].kind == question.kind &&
                        questions_[i - 1].base == question.base &&
                        questions_[i - 1].reach == question.reach;
      if (!same) {
        ++round_;
        mark_facts(question);
      }
      if (!every_way_knows(question.block)) {
        return Uncovered{question.block, question.value,
                         question.kind == FactKind::kNeed
                             ? "loads what no need on some way here has covered"
                             : "divides by what no guard on some way here has covered"};
      }
    }
    return std::nullopt;
  }

  void mark_facts(const Fact& question) {
    Fact from = question;
    from.block = 0;
    for (auto fact = std::lower_bound(facts_.begin(), facts_.end(), from, by_subject);
         fact != facts_.end() && fact->kind == question.kind && fact->base == question.base;
         ++fact) {
      knows_[fact->block] = round_;
    }
  }

  // Goes backward until blocks that know. As the base's definition stands on every way, and no
  // fact about it before, a way that never knows ends at the entry.
  bool every_way_knows(BlockId block) {
    std::vector<BlockId> todo = {block};
    while (!todo.empty()) {
      const BlockId at = todo.back();
      todo.pop_back();
      if (predecessors_.of(at).empty()) {
        return false;
      }
      for (const Way& way : predecessors_.of(at)) {
        if (knows_[way.from] != round_ && seen_[way.from] != round_) {
          seen_[way.from] = round_;
          todo.push_back(way.from);
        }
      }
    }
    return true;
  }

  const Function& function_;
  const Predecessors predecessors_;
  const std::vector<std::uint32_t> bounds_;
  std::vector<std::uint64_t> bytes_;  // Known to be there at the end, by block.
  std::vector<Local> local_;          // By value.
  std::vector<Fact> facts_;
  std::vector<Fact> questions_;
  // By block, the round in which it was seen, and in which it has the fact asked for.
  std::vector<std::uint32_t> seen_;
  std::vector<std::uint32_t> knows_;
  std::uint32_t round_ = 0;
};

}  // namespace

std::optional<Uncovered> find_uncovered(const Function& function) {
  return Coverage(function).run();
}

}  // namespace weir::ir
