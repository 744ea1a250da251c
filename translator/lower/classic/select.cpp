#include "translator/lower/classic/select.h"

#include <cstddef>
#include <map>
#include <optional>
#include <utility>

#include "translator/ir/evaluate.h"
#include "translator/lower/classic/registers.h"
#include "translator/lower/classic/set_membership.h"
#include "translator/lower/classic/switch_tree.h"

namespace weir::lower::classic {
namespace {

using cbpf::Instruction;
using ir::Compare;
using ir::exchange;
using ir::kNoValue;
using ir::Op;
using ir::Value;
using ir::ValueId;

// No packet is longer.
constexpr std::uint64_t kFarthest = 0x7fffffff;

void meet(ValueId& known, ValueId other) { known = known == other ? known : kNoValue; }

// Goes through the function's blocks and their ends.
class Select : private Registers {
 public:
  explicit Select(const SelectInput& input)
      : Registers(input),
        function_(input.function),
        slots_(input.slots),
        explicit_(input.explicit_effects),
        leaf_(input.leaf),
        packer_(input.packer),
        entry_(input.function.blocks.size()),
        base_uses_(input.function.values.size()) {}

  Result<Code> run() {
    for (const Value& value : function_.values) {
      if (value.op == Op::kLoad && value.a != kNoValue) {
        base_uses_[value.a] = true;
      }
    }
    entry_[0] = State{};
    for (ir::BlockId block = 0; block < function_.blocks.size() && error() == nullptr; ++block) {
      if (entry_[block]) {
        select_block(block);
      }
      check_length();
    }
    if (error() != nullptr) {
      return fail(ErrorCode::kUnsupported, error());
    }
    return std::move(code());
  }

 private:
  // ---- blocks ----

  void select_block(ir::BlockId at) {
    go_to(at, at);
    state() = *entry_[at];
    for (const ValueId id : function_.blocks[at].body) {
      const Value& value = value_of(id);
      if (value.op == Op::kNeed) {
        if (value.k > kFarthest) {
          end_jump(plain_return(0));  // No packet is that long.
          return;
        }
        block().events.push_back({Event::Kind::kNeed, value.a, value.k, id});
        if (explicit_[id]) {
          probe(value);
        }
      } else if (value.op == Op::kGuard) {
        block().events.push_back({Event::Kind::kGuard, value.a, 0, id});
        if (explicit_[id]) {
          guard(value.a);
        }
      } else if (value.op == Op::kAncillary && slots_.of[id] != kNoSlot) {
        to_a(id);  // Drawn once, here.
      }
    }
    end_block(function_.blocks[at].terminator);
  }

  // Loads the last byte that must be there.
  void probe(const Value& need) {
    if (need.k == 0) {
      if (need.a != kNoValue) {
        give_up("a need of no bytes");
      }
      return;
    }
    if (need.a != kNoValue) {
      to_x(need.a);
      emit(cbpf::kLd | cbpf::kB | cbpf::kInd, need.k - 1);
      state().a = kNoValue;
    } else if (state().x == kNoValue) {
      emit(cbpf::kLdx | cbpf::kB | cbpf::kMsh, need.k - 1);
    } else {
      emit(cbpf::kLd | cbpf::kB | cbpf::kAbs, need.k - 1);
      state().a = kNoValue;
    }
    load_event(need.a, need.k);
  }

  void guard(ValueId id) {
    to_a(id);
    const BlockId next = add_block();
    end_branch({cbpf::kJmp | cbpf::kJeq | cbpf::kK, 0, 0, 0}, plain_return(0), next);
    go_to(next);
  }

  BlockId plain_return(std::uint32_t k) {
    const auto [found, fresh] = returns_.try_emplace(k, 0);
    if (fresh) {
      found->second = add_block();
      code().blocks[found->second].last = {cbpf::kRet | cbpf::kK, 0, 0, k};
    }
    return found->second;
  }

  void end_block(const ir::Terminator& end) {
    switch (end.end) {
      case ir::End::kReturn:
        if (is_constant(end.a)) {
          end_jump(plain_return(value_of(end.a).k));
        } else {
          to_a(end.a);
          block().end = End::kReturn;
          block().last = {cbpf::kRet | cbpf::kA, 0, 0, 0};
        }
        return;
      case ir::End::kJump: {
        const BlockId here = this->here();
        const BlockId to = follow(end.edges[0]);
        go_to(here);
        end_jump(to);
        return;
      }
      case ir::End::kBranch:
        end_with_compare(end);
        return;
      case ir::End::kSwitch:
        end_with_switch(end);
        return;
      case ir::End::kRepeat:
        return;  // to_classic() takes no such function.
    }
  }

  // Where the edge leads in the code: to the block's own code, or to a piece that first gives its
  // parameters their values. The state is what it is at the end of the present block.
  BlockId follow(const ir::Edge& edge) {
    const State before = state();
    BlockId to = edge.to;
    if (!edge.arguments.empty()) {
      to = add_block();
      go_to(to);
      hand_over(edge);
      end_jump(edge.to);
    }
    arrive(edge);
    state() = before;
    return to;
  }

  void hand_over(const ir::Edge& edge) {
    const std::vector<ValueId>& parameters = function_.blocks[edge.to].parameters;
    // Bases first: what comes last is what is left in A.
    for (const bool base : {true, false}) {
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (base_uses_[parameters[i]] != base) {
          continue;
        }
        const std::uint8_t slot = slots_.of[parameters[i]];
        if (base) {
          to_x(edge.arguments[i]);
          emit(cbpf::kStx, slot);
        } else {
          to_a(edge.arguments[i]);
          emit(cbpf::kSt, slot);
        }
        state().words[slot] = parameters[i];
      }
    }
  }

  // Joins the present state into what is known at the edge's target, in the target's terms.
  void arrive(const ir::Edge& edge) {
    State there = this->state();
    const std::vector<ValueId>& parameters = function_.blocks[edge.to].parameters;
    const auto translate = [&](ValueId& id, bool base) {
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (edge.arguments[i] == id && base_uses_[parameters[i]] == base) {
          id = parameters[i];
          return true;
        }
      }
      return false;
    };
    translate(there.a, false) || translate(there.a, true);
    translate(there.x, true) || translate(there.x, false);
    std::optional<State>& entry = entry_[edge.to];
    if (!entry) {
      entry = there;
      return;
    }
    meet(entry->a, there.a);
    meet(entry->x, there.x);
    for (std::size_t word = 0; word < there.words.size(); ++word) {
      meet(entry->words[word], there.words[word]);
    }
  }

  // ---- branches ----

  struct Question {
    Compare compare = Compare::kEq;
    ValueId a = kNoValue;
    ValueId b = kNoValue;  // kNoValue: `k`.
    std::uint32_t k = 0;
  };

  void end_with_compare(const ir::Terminator& end) {
    Question question{end.compare, end.a, end.b, 0};
    if (is_constant(question.a) && !is_constant(question.b)) {
      question = {exchange(end.compare), end.b, end.a, 0};
    }
    if (is_constant(question.b)) {
      question.k = value_of(question.b).k;
      question.b = kNoValue;
      if (value_of(question.a).op == Op::kIn) {
        end_with_set_test(question, end);
        return;
      }
      simplify(question);
    }
    const bool swapped = put_operands(question);
    ask(swapped ? exchange(question.compare) : question.compare, question.b == kNoValue, question.k,
        end);
  }

  // (a & m) == 0 asks for bits, (a - b) == 0 for equality; and where a & m is in A, the other way.
  void simplify(Question& question) const {
    const bool bits = question.compare == Compare::kSet || question.compare == Compare::kClear;
    if (bits && state().a != kNoValue) {
      const Value& held = value_of(state().a);
      if (held.op == Op::kAnd && held.a == question.a && is_constant(held.b) &&
          value_of(held.b).k == question.k) {
        const bool set = question.compare == Compare::kSet;
        question = {set ? Compare::kNe : Compare::kEq, state().a, kNoValue, 0};
        return;
      }
    }
    const bool equality = question.compare == Compare::kEq || question.compare == Compare::kNe;
    if (!equality || question.k != 0 || state().a == question.a) {
      return;
    }
    const Value& value = value_of(question.a);
    const bool is_equal = question.compare == Compare::kEq;
    if (value.op == Op::kAnd) {
      question.compare = is_equal ? Compare::kClear : Compare::kSet;
    } else if (value.op != Op::kSub && value.op != Op::kXor) {
      return;
    }
    question.a = value.a;
    question.b = value.b;
    if (is_constant(value.b)) {
      question.b = kNoValue;
      question.k = value_of(value.b).k;
    }
  }

  bool put_operands(const Question& question) {
    if (question.b == kNoValue) {
      to_a(question.a);
      return false;
    }
    return to_registers(question.a, question.b, true);
  }

  void ask(Compare compare, bool with_k, std::uint32_t k, const ir::Terminator& end) {
    bool negated = false;
    cbpf::Code operation = cbpf::kJeq;
    switch (compare) {
      case Compare::kNe:
        negated = true;
        break;
      case Compare::kEq:
        break;
      case Compare::kLe:
        negated = true;
        operation = cbpf::kJgt;
        break;
      case Compare::kGt:
        operation = cbpf::kJgt;
        break;
      case Compare::kLt:
        negated = true;
        operation = cbpf::kJge;
        break;
      case Compare::kGe:
        operation = cbpf::kJge;
        break;
      case Compare::kClear:
        negated = true;
        operation = cbpf::kJset;
        break;
      case Compare::kSet:
        operation = cbpf::kJset;
        break;
    }
    const BlockId here = this->here();
    const BlockId yes = follow(end.edges[negated ? 1 : 0]);
    const BlockId no = follow(end.edges[negated ? 0 : 1]);
    go_to(here);
    const auto code =
        static_cast<cbpf::Code>(cbpf::kJmp | operation | (with_k ? cbpf::kK : cbpf::kX));
    end_branch({code, 0, 0, with_k ? k : 0}, yes, no);
  }

  void end_with_switch(const ir::Terminator& end) {
    to_a(end.a);
    const BlockId here = this->here();
    std::vector<BlockId> targets;
    for (const ir::Edge& edge : end.edges) {
      targets.push_back(follow(edge));
    }
    std::vector<Segment> segments = segments_of(end, targets);
    const std::size_t before = code().blocks.size();
    const BlockId tree = add_switch_tree(code(), segments, {.leaf = leaf_});
    count(code().blocks.size() - before);
    go_to(here);
    end_jump(tree);
  }

  void end_with_set_test(const Question& question, const ir::Terminator& end) {
    const auto edge_for = [&](std::uint32_t answer) -> const ir::Edge& {
      return end.edges[ir::evaluate_compare(question.compare, answer, question.k) ? 0 : 1];
    };
    SetTest test(*this, function_, value_of(question.a), {.leaf = leaf_, .packer = packer_});
    const BlockId here = this->here();
    const State before = state();
    test.forget_registers();
    const BlockId hit = follow(edge_for(1));
    const BlockId miss = follow(edge_for(0));
    state() = before;
    go_to(here);
    test.end_block(hit, miss);
  }

  const ir::Function& function_;
  const Slots& slots_;
  const std::vector<bool>& explicit_;
  const std::size_t leaf_;
  Packer* const packer_;
  std::vector<std::optional<State>> entry_;  // By block; nothing when none has come there yet.
  std::vector<bool> base_uses_;              // By value, whether loads count from it.
  std::map<std::uint32_t, BlockId> returns_;
};

}  // namespace

Result<Code> select(const SelectInput& input) { return Select(input).run(); }

}  // namespace weir::lower::classic
