#include "translator/jit/aarch64/emit.h"

#include <bit>
#include <optional>

namespace weir::jit::aarch64 {
namespace {

using ebpf::AluOp;
using ebpf::JumpOp;

// What atomic operations need besides.
constexpr Gp kChanged = Gp::kX6;
constexpr Gp kFailed = Gp::kX7;

constexpr Size size_of(bool is64) { return is64 ? Size::k64 : Size::k32; }

// A number of an instruction, as wide as its operation.
std::uint64_t widened(std::int64_t value, Size size) {
  const auto wide = static_cast<std::uint64_t>(value);
  return size == Size::k64 ? wide : wide & 0xffffffff;
}

void move(Assembler& a, Size size, Gp dst, Gp src) {
  if (size == Size::k32 || dst != src) {
    a.mov(size, dst, src);
  }
}

// An operation with its first operand in any register.
class Operation {
 public:
  Operation(Assembler& assembler, const ebpf::Alu& alu, Gp source)
      : a_(assembler),
        alu_(alu),
        size_(size_of(alu.is64)),
        dst_(gp(alu.dst)),
        source_(source),
        imm_(std::get_if<std::int32_t>(&alu.src)) {}

  void emit() {
    switch (alu_.op) {
      case AluOp::kAdd:
        return imm_ != nullptr ? emit_add(a_, size_, dst_, source_, *imm_)
                               : a_.arith(Arith::kAdd, size_, dst_, source_, second());
      case AluOp::kSub:
        return imm_ != nullptr ? emit_add(a_, size_, dst_, source_, -std::int64_t{*imm_})
                               : a_.arith(Arith::kSub, size_, dst_, source_, second());
      case AluOp::kOr:
        return logic(Logic::kOrr);
      case AluOp::kAnd:
        return logic(Logic::kAnd);
      case AluOp::kXor:
        return logic(Logic::kEor);
      case AluOp::kMul:
        return multiply();
      case AluOp::kDiv:
      case AluOp::kSDiv:
      case AluOp::kMod:
      case AluOp::kSMod:
        return divide();
      case AluOp::kLsh:
        return shift(Shift::kLsl);
      case AluOp::kRsh:
        return shift(Shift::kLsr);
      case AluOp::kArsh:
        return shift(Shift::kAsr);
      case AluOp::kNeg:
        return a_.arith(Arith::kSub, size_, dst_, Gp::kZero, source_);
      case AluOp::kMov:
        return imm_ != nullptr ? a_.mov_imm(dst_, widened(*imm_, size_))
                               : move(a_, size_, dst_, second());
      case AluOp::kMovSx8:
        return sign_extend(8, Extend::kSign8);
      case AluOp::kMovSx16:
        return sign_extend(16, Extend::kSign16);
      case AluOp::kMovSx32:
        return sign_extend(32, size_ == Size::k64 ? Extend::kSign32 : Extend::kZero32);
    }
  }

 private:
  // The second operand in a register.
  Gp second() {
    if (imm_ == nullptr) {
      return gp(std::get<ebpf::Reg>(alu_.src));
    }
    a_.mov_imm(kNumber, widened(*imm_, size_));
    return kNumber;
  }

  void logic(Logic op) {
    if (imm_ == nullptr) {
      return a_.logic(op, size_, dst_, source_, second());
    }
    const std::uint64_t value = widened(*imm_, size_);
    const bool all_ones = value == widened(-1, size_);
    if (logic_immediate(size_, value)) {
      a_.logic_imm(op, size_, dst_, source_, value);
    } else if (value == 0 && op == Logic::kAnd) {
      a_.mov_imm(dst_, 0);
    } else if (value == 0 || (all_ones && op == Logic::kAnd)) {
      move(a_, size_, dst_, source_);
    } else if (all_ones && op == Logic::kEor) {
      a_.mvn(size_, dst_, source_);
    } else {
      a_.logic(op, size_, dst_, source_, second());
    }
  }

  void multiply() {
    if (imm_ != nullptr && *imm_ > 1 && std::has_single_bit(static_cast<std::uint32_t>(*imm_))) {
      return a_.shift_imm(
          Shift::kLsl, size_, dst_, source_,
          static_cast<std::uint8_t>(std::countr_zero(static_cast<std::uint32_t>(*imm_))));
    }
    a_.mul(size_, dst_, source_, second());
  }

  // x / 0 = 0, and x % n = x - x / n * n, which is x where n is 0.
  void divide() {
    if (by_power_of_two()) {
      return;
    }
    const bool is_signed = alu_.op == AluOp::kSDiv || alu_.op == AluOp::kSMod;
    const bool is_mod = alu_.op == AluOp::kMod || alu_.op == AluOp::kSMod;
    const Gp divisor = second();
    const Gp quotient = is_mod ? kAddress : dst_;
    if (is_signed) {
      a_.sdiv(size_, quotient, source_, divisor);
    } else {
      a_.udiv(size_, quotient, source_, divisor);
    }
    if (is_mod) {
      a_.msub(size_, dst_, quotient, divisor, source_);
    }
  }

  bool by_power_of_two() {
    if (imm_ == nullptr || *imm_ <= 0 || !std::has_single_bit(static_cast<std::uint32_t>(*imm_))) {
      return false;
    }
    if (alu_.op == AluOp::kMod && *imm_ != 1) {
      a_.logic_imm(Logic::kAnd, size_, dst_, source_, static_cast<std::uint64_t>(*imm_ - 1));
      return true;
    }
    if (alu_.op == AluOp::kDiv && *imm_ != 1) {
      a_.shift_imm(Shift::kLsr, size_, dst_, source_,
                   static_cast<std::uint8_t>(std::countr_zero(static_cast<std::uint32_t>(*imm_))));
      return true;
    }
    return false;
  }

  void shift(Shift op) {
    if (imm_ == nullptr) {
      return a_.shift(op, size_, dst_, source_, second());
    }
    const auto count = static_cast<std::uint8_t>(*imm_ & (alu_.is64 ? 63 : 31));
    if (count != 0) {
      a_.shift_imm(op, size_, dst_, source_, count);
    } else {
      move(a_, size_, dst_, source_);
    }
  }

  void sign_extend(unsigned bits, Extend how) {
    if (imm_ == nullptr) {
      return a_.extend(how, size_, dst_, second());
    }
    const auto up = static_cast<std::uint32_t>(*imm_) << (32 - bits);
    a_.mov_imm(dst_, widened(static_cast<std::int32_t>(up) >> (32 - bits), size_));
  }

  Assembler& a_;
  const ebpf::Alu& alu_;
  Size size_;
  Gp dst_;
  Gp source_;
  const std::int32_t* imm_;  // Nothing when the second operand is a register.
};

}  // namespace

void emit_alu(Assembler& a, const ebpf::Alu& alu) { Operation(a, alu, gp(alu.dst)).emit(); }

bool emit_on_copy(Assembler& a, const ebpf::Alu& copy, const ebpf::Alu& next) {
  const auto* from = std::get_if<ebpf::Reg>(&copy.src);
  const auto* second = std::get_if<ebpf::Reg>(&next.src);
  const bool operates = next.op != AluOp::kMov && next.op != AluOp::kMovSx8 &&
                        next.op != AluOp::kMovSx16 && next.op != AluOp::kMovSx32;
  if (copy.op != AluOp::kMov || from == nullptr || next.dst != copy.dst || !operates ||
      (!copy.is64 && next.is64) || (second != nullptr && *second == copy.dst)) {
    return false;
  }
  Operation(a, next, gp(*from)).emit();
  return true;
}

void emit_endian(Assembler& a, const ebpf::Endian& endian, bool is_zero_extended) {
  const Gp dst = gp(endian.dst);
  const bool swap = endian.op != ebpf::EndianOp::kToLittle;
  if (endian.bits == 16) {
    if (swap) {
      a.rev16(Size::k32, dst, dst);
    }
    if (!is_zero_extended) {
      a.extend(Extend::kZero16, Size::k32, dst, dst);
    }
  } else if (endian.bits == 32) {
    if (swap) {
      a.rev(Size::k32, dst, dst);
    } else {
      a.mov(Size::k32, dst, dst);
    }
  } else if (swap) {
    a.rev(Size::k64, dst, dst);
  }
}

Extend extend_of(ebpf::Width width, bool sign_extend) {
  switch (width) {
    case ebpf::Width::kB:
      return sign_extend ? Extend::kSign8 : Extend::kZero8;
    case ebpf::Width::kH:
      return sign_extend ? Extend::kSign16 : Extend::kZero16;
    case ebpf::Width::kW:
      return sign_extend ? Extend::kSign32 : Extend::kZero32;
    case ebpf::Width::kDw:
      return Extend::kNone64;
  }
  return Extend::kNone64;
}

namespace {

std::uint8_t bytes_of(Extend how) {
  switch (how) {
    case Extend::kZero8:
    case Extend::kSign8:
      return 1;
    case Extend::kZero16:
    case Extend::kSign16:
      return 2;
    case Extend::kZero32:
    case Extend::kSign32:
      return 4;
    case Extend::kNone64:
      return 8;
  }
  return 8;
}

}  // namespace

void emit_load(Assembler& a, Extend how, Gp dst, Mem src) {
  if (fits_displacement(bytes_of(how), src.disp)) {
    return a.load(how, dst, src);
  }
  a.mov_imm(kNumber, static_cast<std::uint64_t>(std::int64_t{src.disp}));
  a.load_indexed(how, dst, src.base, kNumber);
}

void emit_store(Assembler& a, std::uint8_t bytes, Mem dst, Gp src) {
  if (fits_displacement(bytes, dst.disp)) {
    return a.store(bytes, dst, src);
  }
  // kNumber may be what is stored.
  a.mov_imm(kChanged, static_cast<std::uint64_t>(std::int64_t{dst.disp}));
  a.arith(Arith::kAdd, Size::k64, kAddress, dst.base, kChanged);
  a.store(bytes, {kAddress, 0}, src);
}

void emit_store_imm(Assembler& a, std::uint8_t bytes, Mem dst, std::int32_t imm) {
  if (imm == 0) {
    return emit_store(a, bytes, dst, Gp::kZero);
  }
  std::uint64_t value = widened(imm, bytes == 8 ? Size::k64 : Size::k32);
  if (bytes < 4) {
    value &= (std::uint64_t{1} << 8 * bytes) - 1;
  }
  a.mov_imm(kNumber, value);
  emit_store(a, bytes, dst, kNumber);
}

void emit_add(Assembler& a, Size size, Gp dst, Gp src, std::int64_t value) {
  const std::int64_t sum = size == Size::k64 ? value : static_cast<std::int32_t>(value);
  const auto positive = static_cast<std::uint64_t>(sum < 0 ? -sum : sum);
  if (sum == 0) {
    move(a, size, dst, src);
  } else if (fits_arith(positive)) {
    a.arith_imm(sum < 0 ? Arith::kSub : Arith::kAdd, size, dst, src,
                static_cast<std::uint32_t>(positive));
  } else {
    a.mov_imm(kNumber, widened(sum, size));
    a.arith(Arith::kAdd, size, dst, src, kNumber);
  }
}

void emit_and32(Assembler& a, Gp dst, Gp src, std::uint32_t value) {
  if (value == 0xffffffff) {
    a.mov(Size::k32, dst, src);
  } else if (logic_immediate(Size::k32, value)) {
    a.logic_imm(Logic::kAnd, Size::k32, dst, src, value);
  } else {
    a.mov_imm(kNumber, value);
    a.logic(Logic::kAnd, Size::k32, dst, src, kNumber);
  }
}

void emit_compare_with(Assembler& a, Size size, Gp reg, std::int64_t value) {
  const std::int64_t number = size == Size::k64 ? value : static_cast<std::int32_t>(value);
  const auto positive = static_cast<std::uint64_t>(number < 0 ? -number : number);
  if (!fits_arith(positive)) {
    a.mov_imm(kNumber, widened(number, size));
    a.cmp(size, reg, kNumber);
  } else if (number < 0) {
    a.cmn_imm(size, reg, static_cast<std::uint32_t>(positive));
  } else {
    a.cmp_imm(size, reg, static_cast<std::uint32_t>(positive));
  }
}

void emit_test_with(Assembler& a, Size size, Gp reg, std::uint64_t value) {
  if (logic_immediate(size, value)) {
    return a.tst_imm(size, reg, value);
  }
  a.mov_imm(kNumber, value);
  a.tst(size, reg, kNumber);
}

void emit_atomic(Assembler& a, const ebpf::Atomic& atomic, Mem place) {
  const Size size = atomic.width == ebpf::Width::kDw ? Size::k64 : Size::k32;
  const Gp src = gp(atomic.src);
  emit_add(a, Size::k64, kAddress, place.base, place.disp);
  // Tried until nobody came in between.
  const Label again = a.new_label();
  const Label done = a.new_label();
  a.bind(again);
  a.load_exclusive(size, kNumber, kAddress);
  Gp changed = kChanged;
  switch (atomic.op) {
    case ebpf::AtomicOp::kAdd:
      a.arith(Arith::kAdd, size, kChanged, kNumber, src);
      break;
    case ebpf::AtomicOp::kOr:
      a.logic(Logic::kOrr, size, kChanged, kNumber, src);
      break;
    case ebpf::AtomicOp::kAnd:
      a.logic(Logic::kAnd, size, kChanged, kNumber, src);
      break;
    case ebpf::AtomicOp::kXor:
      a.logic(Logic::kEor, size, kChanged, kNumber, src);
      break;
    case ebpf::AtomicOp::kExchange:
      changed = src;
      break;
    case ebpf::AtomicOp::kCompareExchange:
      a.cmp(size, kNumber, gp(ebpf::Reg::kR0));
      a.jump_if(Condition::kNotEqual, done);
      changed = src;
      break;
  }
  a.store_exclusive(size, kFailed, changed, kAddress);
  a.jump_if_not_zero(Size::k32, kFailed, again);
  a.bind(done);
  if (atomic.op == ebpf::AtomicOp::kCompareExchange) {
    a.mov(size, gp(ebpf::Reg::kR0), kNumber);
  } else if (atomic.fetch || atomic.op == ebpf::AtomicOp::kExchange) {
    a.mov(size, src, kNumber);
  }
}

// ---- Jumps ----

Condition condition_of(JumpOp op) {
  switch (op) {
    case JumpOp::kJa:
    case JumpOp::kEq:
      return Condition::kEqual;
    case JumpOp::kNe:
    case JumpOp::kSet:
      return Condition::kNotEqual;
    case JumpOp::kGt:
      return Condition::kAbove;
    case JumpOp::kGe:
      return Condition::kAboveOrEqual;
    case JumpOp::kLt:
      return Condition::kBelow;
    case JumpOp::kLe:
      return Condition::kBelowOrEqual;
    case JumpOp::kSGt:
      return Condition::kGreater;
    case JumpOp::kSGe:
      return Condition::kGreaterOrEqual;
    case JumpOp::kSLt:
      return Condition::kLess;
    case JumpOp::kSLe:
      return Condition::kLessOrEqual;
  }
  return Condition::kEqual;
}

Condition emit_compare(Assembler& a, const ebpf::Jump& jump) {
  const Size size = size_of(jump.is64);
  const Gp dst = gp(jump.dst);
  const auto* reg = std::get_if<ebpf::Reg>(&jump.src);
  const bool set = jump.op == JumpOp::kSet;
  if (reg != nullptr && set) {
    a.tst(size, dst, gp(*reg));
  } else if (reg != nullptr) {
    a.cmp(size, dst, gp(*reg));
  } else if (set) {
    emit_test_with(a, size, dst, widened(std::get<std::int32_t>(jump.src), size));
  } else {
    emit_compare_with(a, size, dst, std::get<std::int32_t>(jump.src));
  }
  return condition_of(jump.op);
}

void emit_jump_with(Assembler& a, JumpOp op, Size size, Gp reg, std::int64_t value, Label target) {
  const std::uint64_t number = widened(value, size);
  const std::uint8_t sign = size == Size::k64 ? 63 : 31;
  const bool zero = number == 0;
  if (zero && (op == JumpOp::kEq || op == JumpOp::kLe)) {
    a.jump_if_zero(size, reg, target);
  } else if (zero && (op == JumpOp::kNe || op == JumpOp::kGt)) {
    a.jump_if_not_zero(size, reg, target);
  } else if (zero && op == JumpOp::kSLt) {
    a.jump_if_bit_set(reg, sign, target);
  } else if (zero && op == JumpOp::kSGe) {
    a.jump_if_bit_clear(reg, sign, target);
  } else if (op == JumpOp::kSet && std::has_single_bit(number)) {
    a.jump_if_bit_set(reg, static_cast<std::uint8_t>(std::countr_zero(number)), target);
  } else if (op == JumpOp::kSet) {
    emit_test_with(a, size, reg, number);
    a.jump_if(Condition::kNotEqual, target);
  } else {
    emit_compare_with(a, size, reg, value);
    a.jump_if(condition_of(op), target);
  }
}

void emit_jump(Assembler& a, const ebpf::Jump& jump, Label target) {
  if (const auto* imm = std::get_if<std::int32_t>(&jump.src)) {
    return emit_jump_with(a, jump.op, size_of(jump.is64), gp(jump.dst), *imm, target);
  }
  a.jump_if(emit_compare(a, jump), target);
}

// ---- The stack and calls ----

void emit_zero_stack(Assembler& a, std::int32_t bytes) {
  constexpr std::int32_t kUnrolled = 64;
  const Gp top = gp(ebpf::Reg::kR10);
  if (bytes <= kUnrolled) {
    std::int32_t at = 16;
    for (; at <= bytes; at += 16) {
      a.store_pair({top, -at}, Gp::kZero, Gp::kZero);
    }
    if (at - 8 == bytes) {
      a.store(8, {top, -bytes}, Gp::kZero);
    }
    return;
  }
  const Label again = a.new_label();
  emit_add(a, Size::k64, kAddress, top, -bytes);
  a.bind(again);
  a.store_and_step(8, kAddress, 8, Gp::kZero);
  a.cmp(Size::k64, kAddress, top);
  a.jump_if(Condition::kNotEqual, again);
}

void emit_saves_around_call(Assembler& a) {
  a.push_pair(Gp::kX1, Gp::kX2, 48);
  a.store_pair({Gp::kSp, 16}, Gp::kX3, Gp::kX4);
  a.store(8, {Gp::kSp, 32}, Gp::kX5);
}
void emit_restores_around_call(Assembler& a) {
  a.load(Extend::kNone64, Gp::kX5, {Gp::kSp, 32});
  a.load_pair(Size::k64, {Gp::kSp, 16}, Gp::kX3, Gp::kX4);
  a.pop_pair(Gp::kX1, Gp::kX2, 48);
}

void emit_helper_call(Assembler& a, const ebpf::Helper& helper) {
  emit_saves_around_call(a);
  a.mov_imm(Gp::kX0, reinterpret_cast<std::uint64_t>(helper.user));
  a.mov_imm(kAddress, std::bit_cast<std::uint64_t>(helper.function));
  a.call(kAddress);
  emit_restores_around_call(a);
}

}  // namespace weir::jit::aarch64
