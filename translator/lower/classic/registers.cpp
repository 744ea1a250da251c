#include "translator/lower/classic/registers.h"

#include <bit>
#include <utility>

#include "translator/ir/bounds.h"
#include "translator/lower/classic/canonicalize.h"

namespace weir::lower::classic {
namespace {

using ir::kNoValue;
using ir::Op;
using ir::Value;
using ir::ValueId;

// More instructions than this are given up on, as is an expression nested deeper.
constexpr std::size_t kMostInstructions = 1U << 18;
constexpr std::uint32_t kDeepest = 2000;
// Offsets from here on mean something else than packet bytes in one dialect or the other.
constexpr std::uint64_t kFarthest = 0x7fffffff;
constexpr char kTooEntangled[] =
    "the values of the filter are too entangled for the classic machine";

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
    case Op::kLoopState:
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

bool is_shift(Op op) {
  return op == Op::kShl || op == Op::kShr || op == Op::kShlModulo || op == Op::kShrModulo;
}

}  // namespace

Registers::Registers(const SelectInput& input)
    : function_(input.function),
      slots_(input.slots),
      dialect_(input.options.dialect),
      bounds_(ir::upper_bounds(input.function)) {
  code_.blocks.resize(function_.blocks.size());
}

BlockId Registers::add_block() {
  code_.blocks.emplace_back();
  return static_cast<BlockId>(code_.blocks.size() - 1);
}

void Registers::emit(cbpf::Code code, std::uint32_t k) {
  block().body.push_back({code, 0, 0, k});
  ++emitted_;
}

void Registers::end_branch(cbpf::Instruction last, BlockId yes, BlockId no) {
  block().end = End::kBranch;
  block().last = last;
  block().yes = yes;
  block().no = no;
  ++emitted_;
}

void Registers::end_jump(BlockId to) {
  block().end = End::kJump;
  block().yes = to;
}

void Registers::check_length() {
  if (emitted_ > kMostInstructions) {
    give_up(kTooEntangled);
  }
}

void Registers::load_event(ValueId base, std::uint64_t reach) {
  if (base != kNoValue) {
    if (dialect_ == cbpf::Dialect::kLinux && bounds_[base] + reach > kFarthest) {
      give_up("an offset may be negative in the Linux dialect");
    }
  }
  block().events.push_back({Event::Kind::kLoad, base, reach, kNoValue});
}

bool Registers::is_stored(ValueId id) const {
  const std::uint8_t slot = slots_.of[id];
  return slot != kNoSlot && state_.words[slot] == id;
}

// Whether X can be given the value without touching A, here and wherever A and X are others.
bool Registers::is_direct(ValueId id) const {
  return is_stored(id) || is_constant(id) || value_of(id).op == Op::kLength ||
         ir_header_length(id).has_value();
}
std::optional<std::uint32_t> Registers::ir_header_length(ValueId id) const {
  return header_length_offset(function_, id);
}

// Whether A can be given the value without touching X once X holds `x`; `keeps_a`: what is in A
// now is still there then.
bool Registers::leaves_x(ValueId id, ValueId x, bool keeps_a, std::uint32_t depth) const {
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
bool Registers::can_follow_x(ValueId a, ValueId x) const {
  return leaves_x(a, x, state_.x == x || state_.a == x || is_direct(x));
}

void Registers::to_x(ValueId id) {
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

void Registers::to_a(ValueId id) {
  if (state_.a == id || error_ != nullptr) {
    return;
  }
  if (++depth_ > kDeepest || emitted_ > kMostInstructions) {
    give_up(kTooEntangled);
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
void Registers::store(ValueId id) {
  const std::uint8_t slot = slots_.of[id];
  if (slot != kNoSlot && !is_stored(id)) {
    emit(cbpf::kSt, slot);
    state_.words[slot] = id;
  }
}

void Registers::compute(ValueId id) {
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
    case Op::kLoopState:
      give_up("a classic program for the kernel has no loops");
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

void Registers::compute_extension(const Value& value) {
  const auto extension = static_cast<cbpf::Extension>(value.k);
  if (extension == cbpf::Extension::kNla || extension == cbpf::Extension::kNlaNested) {
    give_up("the extension reads A and X in passing");
  }
  emit(cbpf::kLd | cbpf::kW | cbpf::kAbs, cbpf::kAncillaryOffset + value.k);
}

void Registers::compute_load(const Value& value) {
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

void Registers::compute_arithmetic(ValueId id, const Value& value) {
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

bool Registers::to_registers(ValueId a, ValueId b, bool either) {
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

void Registers::through_word(ValueId a, ValueId b) {
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

std::uint8_t Registers::free_word() {
  const auto taken = static_cast<std::uint16_t>(slots_.taken[at_] | words_in_use_);
  const int word = std::countr_one(taken);
  if (word >= static_cast<int>(cbpf::kScratchWords)) {
    give_up("the filter keeps more values than the classic machine has words for");
    return 0;
  }
  return static_cast<std::uint8_t>(word);
}

}  // namespace weir::lower::classic
