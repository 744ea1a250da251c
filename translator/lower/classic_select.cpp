#include "translator/lower/classic_select.h"

#include <array>
#include <bit>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "translator/ir/bounds.h"
#include "translator/ir/evaluate.h"
#include "translator/lower/classic_switch.h"

namespace weir::lower::classic {
namespace {

using cbpf::Instruction;
using ir::Compare;
using ir::kNoValue;
using ir::Op;
using ir::Value;
using ir::ValueId;

// More instructions than this are given up on, as is an expression nested deeper.
constexpr std::size_t kMostInstructions = 1U << 18;
constexpr std::uint32_t kDeepest = 2000;
// Offsets from here on mean something else than packet bytes in one dialect or the other.
constexpr std::uint64_t kFarthest = 0x7fffffff;

// What is known of the registers where control comes by.
struct State {
  ValueId a = kNoValue;
  ValueId x = kNoValue;
  std::array<ValueId, cbpf::kScratchWords> words{};  // What scratch memory holds.
  State() { words.fill(kNoValue); }
};

void meet(ValueId& known, ValueId other) { known = known == other ? known : kNoValue; }

bool is_symmetric(Op op) {
  return op == Op::kAdd || op == Op::kMul || op == Op::kAnd || op == Op::kOr || op == Op::kXor;
}

cbpf::Code operation(Op op) {
  switch (op) {
    case Op::kAdd:
      return cbpf::kAdd;
    case Op::kSub:
      return cbpf::kSub;
    case Op::kMul:
      return cbpf::kMul;
    case Op::kDiv:
      return cbpf::kDiv;
    case Op::kMod:
      return cbpf::kMod;
    case Op::kAnd:
      return cbpf::kAnd;
    case Op::kOr:
      return cbpf::kOr;
    case Op::kXor:
      return cbpf::kXor;
    case Op::kShl:
    case Op::kShlModulo:
      return cbpf::kLsh;
    case Op::kShr:
    case Op::kShrModulo:
      return cbpf::kRsh;
    case Op::kNeg:
    case Op::kConstant:
    case Op::kParameter:
    case Op::kLength:
    case Op::kAncillary:
    case Op::kLoad:
    case Op::kHas:
    case Op::kJoin:
    case Op::kIn:
    case Op::kNeed:
    case Op::kGuard:
      return cbpf::kNeg;
  }
  return cbpf::kNeg;
}

// The compare that holds for (b, a) when `compare` holds for (a, b).
Compare mirror(Compare compare) {
  switch (compare) {
    case Compare::kGt:
      return Compare::kLt;
    case Compare::kGe:
      return Compare::kLe;
    case Compare::kLt:
      return Compare::kGt;
    case Compare::kLe:
      return Compare::kGe;
    case Compare::kEq:
    case Compare::kNe:
    case Compare::kSet:
    case Compare::kClear:
      return compare;
  }
  return compare;
}

class Select {
 public:
  explicit Select(const SelectInput& input)
      : function_(input.function),
        slots_(input.slots),
        explicit_(input.explicit_effects),
        dialect_(input.options.dialect),
        bounds_(ir::upper_bounds(input.function)),
        entry_(input.function.blocks.size()),
        base_uses_(input.function.values.size()) {}

  Result<Code> run() {
    for (const Value& value : function_.values) {
      if (value.op == Op::kLoad && value.a != kNoValue) {
        base_uses_[value.a] = true;
      }
    }
    code_.blocks.resize(function_.blocks.size());
    entry_[0] = State{};
    for (ir::BlockId block = 0; block < function_.blocks.size() && error_ == nullptr; ++block) {
      if (entry_[block]) {
        select_block(block);
      }
      if (emitted_ > kMostInstructions) {
        give_up("the values of the filter are too entangled for the classic machine");
      }
    }
    if (error_ != nullptr) {
      return fail(ErrorCode::kUnsupported, error_);
    }
    return std::move(code_);
  }

 private:
  void give_up(const char* why) {
    if (error_ == nullptr) {
      error_ = why;
    }
  }

  const Value& value_of(ValueId id) const { return function_.values[id]; }
  bool is_constant(ValueId id) const { return id != kNoValue && value_of(id).op == Op::kConstant; }
  Block& block() { return code_.blocks[block_]; }
  BlockId add_block() {
    code_.blocks.emplace_back();
    return static_cast<BlockId>(code_.blocks.size() - 1);
  }

  void emit(cbpf::Code code, std::uint32_t k = 0) {
    block().body.push_back({code, 0, 0, k});
    ++emitted_;
  }
  void load_event(ValueId base, std::uint64_t reach) {
    if (base != kNoValue) {
      if (dialect_ == cbpf::Dialect::kLinux && bounds_[base] + reach > kFarthest) {
        give_up("an offset may be negative in the Linux dialect");
      }
    }
    block().events.push_back({Event::Kind::kLoad, base, reach, kNoValue});
  }

  // ---- values into registers ----

  bool is_stored(ValueId id) const {
    const std::uint8_t slot = slots_.of[id];
    return slot != kNoSlot && state_.words[slot] == id;
  }

  // Whether X can be given the value without touching A, here and wherever A and X are others.
  bool is_direct(ValueId id) const {
    return is_stored(id) || is_constant(id) || value_of(id).op == Op::kLength ||
           ir_header_length(id).has_value();
  }
  std::optional<std::uint32_t> ir_header_length(ValueId id) const {
    return header_length_offset(function_, id);
  }

  // Whether A can be given the value without touching X once X holds `x`; `keeps_a`: what is in A
  // now is still there then.
  bool leaves_x(ValueId id, ValueId x, bool keeps_a, std::uint32_t depth = 0) const {
    if ((keeps_a && state_.a == id) || x == id || is_stored(id)) {
      return true;
    }
    const Value& value = value_of(id);
    if (depth > 8 || ir_header_length(id)) {
      return false;
    }
    if (value.op == Op::kLoad) {
      return value.a == kNoValue || value.a == x;
    }
    if (!ir::is_arithmetic(value.op)) {
      return true;
    }
    if (value.b == kNoValue || is_constant(value.b)) {
      return leaves_x(value.a, x, keeps_a, depth + 1);
    }
    return (value.b == x && leaves_x(value.a, x, keeps_a, depth + 1)) ||
           (is_symmetric(value.op) && value.a == x && leaves_x(value.b, x, keeps_a, depth + 1));
  }
  bool can_follow_x(ValueId a, ValueId x) const {
    return leaves_x(a, x, state_.x == x || state_.a == x || is_direct(x));
  }

  void to_x(ValueId id) {
    if (state_.x == id) {
      return;
    }
    if (state_.a == id) {
      emit(cbpf::kMisc | cbpf::kTax);
    } else if (is_stored(id)) {
      emit(cbpf::kLdx | cbpf::kMem, slots_.of[id]);
    } else if (is_constant(id)) {
      emit(cbpf::kLdx | cbpf::kImm, value_of(id).k);
    } else if (value_of(id).op == Op::kLength) {
      emit(cbpf::kLdx | cbpf::kLen);
    } else if (const auto offset = ir_header_length(id)) {
      emit(cbpf::kLdx | cbpf::kB | cbpf::kMsh, *offset);
      load_event(kNoValue, std::uint64_t{*offset} + 1);
    } else {
      to_a(id);
      emit(cbpf::kMisc | cbpf::kTax);
    }
    state_.x = id;
  }

  void to_a(ValueId id) {
    if (state_.a == id || error_ != nullptr) {
      return;
    }
    if (++depth_ > kDeepest || emitted_ > kMostInstructions) {
      give_up("the values of the filter are too entangled for the classic machine");
      return;
    }
    if (state_.x == id) {
      emit(cbpf::kMisc | cbpf::kTxa);
    } else if (is_stored(id)) {
      emit(cbpf::kLd | cbpf::kMem, slots_.of[id]);
    } else {
      compute(id);
      state_.a = id;
      store(id);
    }
    state_.a = id;
    --depth_;
  }

  // What has a word goes there as soon as it is computed; stores that nobody reads are dropped
  // later.
  void store(ValueId id) {
    const std::uint8_t slot = slots_.of[id];
    if (slot != kNoSlot && !is_stored(id)) {
      emit(cbpf::kSt, slot);
      state_.words[slot] = id;
    }
  }

  void compute(ValueId id) {
    const Value& value = value_of(id);
    switch (value.op) {
      case Op::kConstant:
        emit(cbpf::kLd | cbpf::kImm, value.k);
        return;
      case Op::kParameter:
        give_up("a value is not where it was left");
        return;
      case Op::kLength:
        emit(cbpf::kLd | cbpf::kLen);
        return;
      case Op::kAncillary:
        compute_extension(value);
        return;
      case Op::kLoad:
        compute_load(value);
        return;
      case Op::kAdd:
      case Op::kSub:
      case Op::kMul:
      case Op::kDiv:
      case Op::kMod:
      case Op::kAnd:
      case Op::kOr:
      case Op::kXor:
      case Op::kShl:
      case Op::kShr:
      case Op::kShlModulo:
      case Op::kShrModulo:
        compute_arithmetic(id, value);
        return;
      case Op::kNeg:
        to_a(value.a);
        emit(cbpf::kAlu | cbpf::kNeg);
        return;
      case Op::kHas:
        give_up("a classic program cannot ask for bytes and go on without them");
        return;
      case Op::kJoin:
      case Op::kIn:
        give_up("what a set test answers is used as a number");
        return;
      case Op::kNeed:
      case Op::kGuard:
        return;
    }
  }

  void compute_extension(const Value& value) {
    const auto extension = static_cast<cbpf::Extension>(value.k);
    if (extension == cbpf::Extension::kNla || extension == cbpf::Extension::kNlaNested) {
      give_up("the extension reads A and X in passing");
    }
    emit(cbpf::kLd | cbpf::kW | cbpf::kAbs, cbpf::kAncillaryOffset + value.k);
  }

  void compute_load(const Value& value) {
    const cbpf::Code size = value.width == 4 ? cbpf::kW : value.width == 2 ? cbpf::kH : cbpf::kB;
    const std::uint64_t reach = std::uint64_t{value.k} + value.width;
    if (value.a == kNoValue) {
      emit(cbpf::kLd | size | cbpf::kAbs, value.k);
    } else {
      to_x(value.a);
      emit(cbpf::kLd | size | cbpf::kInd, value.k);
    }
    load_event(value.a, reach);
  }

  static bool is_shift(Op op) {
    return op == Op::kShl || op == Op::kShr || op == Op::kShlModulo || op == Op::kShrModulo;
  }

  void compute_arithmetic(ValueId id, const Value& value) {
    if (const auto offset = ir_header_length(id); offset && state_.a != value.a) {
      // Two instructions instead of three.
      to_x(id);
      emit(cbpf::kMisc | cbpf::kTxa);
      return;
    }
    const bool modulo = value.op == Op::kShlModulo || value.op == Op::kShrModulo;
    if (is_constant(value.b)) {
      std::uint32_t k = value_of(value.b).k;
      if (is_shift(value.op) && k > 31) {
        if (!modulo) {
          emit(cbpf::kLd | cbpf::kImm, 0);
          return;
        }
        k %= 32;
      }
      to_a(value.a);
      emit(cbpf::kAlu | operation(value.op) | cbpf::kK, k);
      return;
    }
    if (is_shift(value.op) && bounds_[value.b] > 31 &&
        modulo != (dialect_ == cbpf::Dialect::kLinux)) {
      give_up("a shift means something else in this dialect");
    }
    const bool swapped = to_registers(value.a, value.b, is_symmetric(value.op));
    emit(cbpf::kAlu | operation(value.op) | cbpf::kX);
    if (value.op == Op::kDiv || value.op == Op::kMod) {
      block().events.push_back({Event::Kind::kDivide, swapped ? value.a : value.b, 0, kNoValue});
    }
  }

  // Puts one value into A and the other into X, the second one unless `either` way will do. True
  // when it is the other way round.
  bool to_registers(ValueId a, ValueId b, bool either) {
    // What leaves_x() foresees: the one that is in X stays there.
    if (state_.x == b && can_follow_x(a, b)) {
      to_a(a);
      return false;
    }
    if (either && state_.x == a && can_follow_x(b, a)) {
      to_a(b);
      return true;
    }
    const bool swapped = either && state_.a != a && state_.a == b;
    if (swapped) {
      std::swap(a, b);
    }
    if (state_.a == a && (a == b || state_.x == b || is_direct(b))) {
      to_x(b);
    } else if (can_follow_x(a, b)) {
      to_x(b);
      to_a(a);
    } else if (either && can_follow_x(b, a)) {
      to_x(a);
      to_a(b);
      return !swapped;
    } else if (is_direct(b)) {
      to_a(a);
      to_x(b);
    } else if (either && is_direct(a)) {
      to_a(b);
      to_x(a);
      return !swapped;
    } else {
      through_word(a, b);
    }
    if (state_.a != a || state_.x != b) {
      give_up("a value is not where it was left");
    }
    return swapped;
  }

  void through_word(ValueId a, ValueId b) {
    const std::uint8_t word = free_word();
    const auto bit = static_cast<std::uint16_t>(1U << word);
    const bool a_first = state_.a == a;
    if (!a_first) {
      to_a(b);
    }
    emit(cbpf::kSt, word);
    state_.words[word] = kNoValue;
    words_in_use_ |= bit;
    if (a_first) {
      to_x(b);
      emit(cbpf::kLd | cbpf::kMem, word);
      state_.a = a;
    } else {
      to_a(a);
      emit(cbpf::kLdx | cbpf::kMem, word);
      state_.x = b;
    }
    words_in_use_ &= static_cast<std::uint16_t>(~bit);
  }

  std::uint8_t free_word() {
    const auto taken = static_cast<std::uint16_t>(slots_.taken[at_] | words_in_use_);
    const int word = std::countr_one(taken);
    if (word >= static_cast<int>(cbpf::kScratchWords)) {
      give_up("the filter keeps more values than the classic machine has words for");
      return 0;
    }
    return static_cast<std::uint8_t>(word);
  }

  // ---- blocks ----

  void select_block(ir::BlockId at) {
    at_ = at;
    block_ = at;
    state_ = *entry_[at];
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
      state_.a = kNoValue;
    } else if (state_.x == kNoValue) {
      emit(cbpf::kLdx | cbpf::kB | cbpf::kMsh, need.k - 1);
    } else {
      emit(cbpf::kLd | cbpf::kB | cbpf::kAbs, need.k - 1);
      state_.a = kNoValue;
    }
    load_event(need.a, need.k);
  }

  void guard(ValueId id) {
    to_a(id);
    const BlockId next = add_block();
    end_branch({cbpf::kJmp | cbpf::kJeq | cbpf::kK, 0, 0, 0}, plain_return(0), next);
    block_ = next;
  }

  BlockId plain_return(std::uint32_t k) {
    const auto [found, fresh] = returns_.try_emplace(k, 0);
    if (fresh) {
      found->second = add_block();
      code_.blocks[found->second].last = {cbpf::kRet | cbpf::kK, 0, 0, k};
    }
    return found->second;
  }

  void end_branch(Instruction last, BlockId yes, BlockId no) {
    block().end = End::kBranch;
    block().last = last;
    block().yes = yes;
    block().no = no;
    ++emitted_;
  }
  void end_jump(BlockId to) {
    block().end = End::kJump;
    block().yes = to;
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
        const BlockId here = block_;
        const BlockId to = follow(end.edges[0]);
        block_ = here;
        end_jump(to);
        return;
      }
      case ir::End::kBranch:
        end_with_compare(end);
        return;
      case ir::End::kSwitch:
        end_with_switch(end);
        return;
    }
  }

  // Where the edge leads in the code: to the block's own code, or to a piece that first gives its
  // parameters their values. The state is what it is at the end of the present block.
  BlockId follow(const ir::Edge& edge) {
    const State before = state_;
    BlockId to = edge.to;
    if (!edge.arguments.empty()) {
      to = add_block();
      block_ = to;
      hand_over(edge);
      end_jump(edge.to);
    }
    arrive(edge);
    state_ = before;
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
        state_.words[slot] = parameters[i];
      }
    }
  }

  // Joins the present state into what is known at the edge's target, in the target's terms.
  void arrive(const ir::Edge& edge) {
    State state = state_;
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
    translate(state.a, false) || translate(state.a, true);
    translate(state.x, true) || translate(state.x, false);
    std::optional<State>& entry = entry_[edge.to];
    if (!entry) {
      entry = state;
      return;
    }
    meet(entry->a, state.a);
    meet(entry->x, state.x);
    for (std::size_t word = 0; word < state.words.size(); ++word) {
      meet(entry->words[word], state.words[word]);
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
      question = {mirror(end.compare), end.b, end.a, 0};
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
    ask(swapped ? mirror(question.compare) : question.compare, question.b == kNoValue, question.k,
        end);
  }

  // (a & m) == 0 asks for bits, (a - b) == 0 for equality.
  void simplify(Question& question) const {
    const bool equality = question.compare == Compare::kEq || question.compare == Compare::kNe;
    if (!equality || question.k != 0 || state_.a == question.a) {
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
    const BlockId here = block_;
    const BlockId yes = follow(end.edges[negated ? 1 : 0]);
    const BlockId no = follow(end.edges[negated ? 0 : 1]);
    block_ = here;
    const auto code =
        static_cast<cbpf::Code>(cbpf::kJmp | operation | (with_k ? cbpf::kK : cbpf::kX));
    end_branch({code, 0, 0, with_k ? k : 0}, yes, no);
  }

  void end_with_switch(const ir::Terminator& end) {
    to_a(end.a);
    const BlockId here = block_;
    std::vector<BlockId> targets;
    for (const ir::Edge& edge : end.edges) {
      targets.push_back(follow(edge));
    }
    std::vector<Segment> segments = segments_of(end, targets);
    const std::size_t before = code_.blocks.size();
    const BlockId tree = add_switch_tree(code_, segments);
    emitted_ += code_.blocks.size() - before;
    block_ = here;
    end_jump(tree);
  }

  void end_with_set_test(const Question& question, const ir::Terminator& end) {
    const auto edge_for = [&](std::uint32_t answer) -> const ir::Edge& {
      return end.edges[ir::evaluate_compare(question.compare, answer, question.k) ? 0 : 1];
    };
    const Value& test = value_of(question.a);
    const ir::Set& set = function_.sets[test.k];
    std::vector<ValueId> words;
    ValueId key = test.a;
    for (; value_of(key).op == Op::kJoin; key = value_of(key).a) {
      words.insert(words.begin(), value_of(key).b);
    }
    words.insert(words.begin(), key);
    to_a(words[0]);
    const BlockId here = block_;
    const State before = state_;
    if (words.size() > 1) {
      state_.a = state_.x = kNoValue;  // Which words were loaded depends on the way.
    }
    const BlockId hit = follow(edge_for(1));
    const BlockId miss = follow(edge_for(0));
    state_ = before;
    block_ = here;
    const BlockId tree = set_tree({words, hit, miss}, 0, set.ranges);
    block_ = here;
    end_jump(tree);
  }

  struct SetTest {
    std::span<const ValueId> words;
    BlockId hit = 0;
    BlockId miss = 0;
  };

  // What follows once A holds word number `at` and those before it have been found in all ranges:
  // a tree for the word, and under each of its values whose ranges differ in later words, one for
  // the next.
  BlockId set_tree(const SetTest& test, std::size_t at, std::span<const ir::Range> ranges) {
    const auto later = static_cast<std::uint32_t>(test.words.size() - 1 - at);
    const std::size_t blocks_before = code_.blocks.size();
    std::vector<Segment> segments;
    std::uint64_t next = 0;
    const auto add = [&](std::uint32_t low, std::uint32_t high, BlockId to) {
      if (low > next) {
        segments.push_back({static_cast<std::uint32_t>(next), test.miss});
      }
      segments.push_back({low, to});
      next = std::uint64_t{high} + 1;
    };
    for (std::size_t i = 0; i < ranges.size();) {
      const std::uint32_t low = ranges[i].low.word(later);
      const std::uint32_t high = ranges[i].high.word(later);
      if (later == 0) {
        add(low, high, test.hit);
        ++i;
        continue;
      }
      if (low != high) {
        if (!all_later(ranges[i], later)) {
          give_up("a range of keys goes across words");
        }
        add(low, high, test.hit);
        ++i;
        continue;
      }
      std::size_t same = i + 1;
      while (same < ranges.size() && ranges[same].low.word(later) == low &&
             ranges[same].high.word(later) == low) {
        ++same;
      }
      add(low, low, later_words(test, at + 1, ranges.subspan(i, same - i)));
      i = same;
    }
    if (next <= 0xffffffff) {
      segments.push_back({static_cast<std::uint32_t>(next), test.miss});
    }
    const BlockId tree = add_switch_tree(code_, merge_neighbours(segments));
    emitted_ += code_.blocks.size() - blocks_before;
    return tree;
  }

  // Whether the range takes its first word's bounds with whatever words follow.
  static bool all_later(const ir::Range& range, std::uint32_t later) {
    for (std::uint32_t word = 0; word < later; ++word) {
      if (range.low.word(word) != 0 || range.high.word(word) != 0xffffffff) {
        return false;
      }
    }
    return true;
  }

  BlockId later_words(const SetTest& test, std::size_t at, std::span<const ir::Range> ranges) {
    const State before = state_;
    const BlockId head = add_block();
    block_ = head;
    to_a(test.words[at]);
    const BlockId here = block_;
    const BlockId tree = set_tree(test, at, ranges);
    block_ = here;
    end_jump(tree);
    state_ = before;
    return head;
  }

  const ir::Function& function_;
  const Slots& slots_;
  const std::vector<bool>& explicit_;
  const cbpf::Dialect dialect_;
  const std::vector<std::uint32_t> bounds_;
  std::vector<std::optional<State>> entry_;  // By block; nothing when none has come there yet.
  std::vector<bool> base_uses_;              // By value, whether loads count from it.
  Code code_;
  std::map<std::uint32_t, BlockId> returns_;
  const char* error_ = nullptr;
  std::size_t emitted_ = 0;
  std::uint32_t depth_ = 0;

  // Where the selection is.
  ir::BlockId at_ = 0;
  BlockId block_ = 0;
  State state_;
  std::uint16_t words_in_use_ = 0;  // By parts of the present expression.
};

}  // namespace

Result<Code> select(const SelectInput& input) { return Select(input).run(); }

}  // namespace weir::lower::classic
