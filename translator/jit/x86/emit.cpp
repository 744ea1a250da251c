#include "translator/jit/x86/emit.h"

#include <bit>
#include <cstdint>
#include <optional>

namespace weir::jit {
namespace {

using ebpf::AluOp;
using x86::Arith;
using x86::Assembler;
using x86::Condition;
using x86::Extend;
using x86::Gp;
using x86::Label;
using x86::Shift;
using x86::Size;
using x86::Unary;

constexpr Gp kScratch = Gp::kR11;

std::uint64_t wide(std::int32_t value) { return static_cast<std::uint64_t>(std::int64_t{value}); }

void move_constant(Assembler& a, Gp dst, std::uint64_t value) {
  if (value == 0) {
    a.zero(dst);
  } else {
    a.mov_imm(dst, value);
  }
}

// dst = src / divisor or what is left, RFC 9669 section 4.1: x / 0 = 0, x % 0 = x, and the most
// negative number divided by -1 is itself and leaves 0. The processor divides rdx:rax.
class Division {
 public:
  Division(Assembler& assembler, const ebpf::Alu& alu)
      : a_(assembler),
        alu_(alu),
        size_(alu.is64 ? Size::k64 : Size::k32),
        is_signed_(alu.op == AluOp::kSDiv || alu.op == AluOp::kSMod),
        is_mod_(alu.op == AluOp::kMod || alu.op == AluOp::kSMod) {}

  void emit() {
    if (by_power_of_two()) {
      return;
    }
    load_divisor();
    a_.push(Gp::kRax);
    a_.push(Gp::kRdx);
    a_.mov(size_, Gp::kRax, gp(alu_.dst));
    const Label zero = a_.new_label();
    const Label minus_one = a_.new_label();
    const Label done = a_.new_label();
    a_.test(size_, kScratch, kScratch);
    a_.jcc(Condition::kEqual, zero);
    if (is_signed_) {
      a_.arith(Arith::kCmp, size_, kScratch, -1);
      a_.jcc(Condition::kEqual, minus_one);
      a_.sign_into_rdx(size_);
      a_.unary(Unary::kIdiv, size_, kScratch);
    } else {
      a_.zero(Gp::kRdx);
      a_.unary(Unary::kDiv, size_, kScratch);
    }
    a_.mov(Size::k64, kScratch, is_mod_ ? Gp::kRdx : Gp::kRax);
    a_.jmp(done);
    a_.bind(minus_one);
    if (is_signed_) {
      divide_by_minus_one();
      a_.jmp(done);
    }
    a_.bind(zero);
    if (is_mod_) {
      a_.mov(size_, kScratch, Gp::kRax);
    } else {
      a_.zero(kScratch);
    }
    a_.bind(done);
    a_.pop(Gp::kRdx);
    a_.pop(Gp::kRax);
    a_.mov(Size::k64, gp(alu_.dst), kScratch);
  }

 private:
  bool by_power_of_two() {
    const auto* imm = std::get_if<std::int32_t>(&alu_.src);
    if (is_signed_ || imm == nullptr || *imm <= 0 ||
        !std::has_single_bit(static_cast<std::uint32_t>(*imm))) {
      return false;
    }
    const Gp dst = gp(alu_.dst);
    if (is_mod_) {
      a_.arith(Arith::kAnd, size_, dst, *imm - 1);
      return true;
    }
    const int bits = std::countr_zero(static_cast<std::uint32_t>(*imm));
    if (bits == 0 && size_ == Size::k32) {
      a_.mov(size_, dst, dst);
    } else if (bits != 0) {
      a_.shift(Shift::kShr, size_, dst, static_cast<std::uint8_t>(bits));
    }
    return true;
  }

  void load_divisor() {
    if (const auto* reg = std::get_if<ebpf::Reg>(&alu_.src)) {
      a_.mov(size_, kScratch, gp(*reg));
    } else {
      const std::int32_t imm = std::get<std::int32_t>(alu_.src);
      a_.mov_imm(kScratch, alu_.is64 ? wide(imm) : static_cast<std::uint32_t>(imm));
    }
  }

  void divide_by_minus_one() {
    if (is_mod_) {
      a_.zero(kScratch);
    } else {
      a_.mov(size_, kScratch, Gp::kRax);
      a_.unary(Unary::kNeg, size_, kScratch);
    }
  }

  Assembler& a_;
  const ebpf::Alu& alu_;
  Size size_;
  bool is_signed_;
  bool is_mod_;
};

// The count of a shift by a register is in cl; the processor masks it as the standard does.
void emit_shift(Assembler& a, const ebpf::Alu& alu, Shift op) {
  const Size size = alu.is64 ? Size::k64 : Size::k32;
  const Gp dst = gp(alu.dst);
  if (const auto* imm = std::get_if<std::int32_t>(&alu.src)) {
    const auto count = static_cast<std::uint8_t>(*imm & (alu.is64 ? 63 : 31));
    if (count != 0) {
      a.shift(op, size, dst, count);
    } else if (!alu.is64) {
      a.mov(size, dst, dst);
    }
    return;
  }
  const Gp count = gp(std::get<ebpf::Reg>(alu.src));
  const Gp shifted = dst == Gp::kRcx ? Gp::kR10 : dst;
  if (dst == Gp::kRcx) {
    a.mov(Size::k64, Gp::kR10, Gp::kRcx);
  }
  if (count != Gp::kRcx) {
    a.mov(Size::k64, kScratch, Gp::kRcx);
    a.mov(Size::k64, Gp::kRcx, count);
  }
  a.shift_cl(op, size, shifted);
  if (!alu.is64) {
    a.mov(size, shifted, shifted);  // A shift by 0 need not clear the upper half.
  }
  if (dst == Gp::kRcx) {
    a.mov(Size::k64, Gp::kRcx, Gp::kR10);
  } else if (count != Gp::kRcx) {
    a.mov(Size::k64, Gp::kRcx, kScratch);
  }
}

void emit_move(Assembler& a, const ebpf::Alu& alu) {
  const Gp dst = gp(alu.dst);
  if (const auto* reg = std::get_if<ebpf::Reg>(&alu.src)) {
    if (!alu.is64 || alu.dst != *reg) {
      a.mov(alu.is64 ? Size::k64 : Size::k32, dst, gp(*reg));
    }
    return;
  }
  const std::int32_t imm = std::get<std::int32_t>(alu.src);
  move_constant(a, dst, alu.is64 ? wide(imm) : static_cast<std::uint32_t>(imm));
}

void emit_sign_extension(Assembler& a, const ebpf::Alu& alu, unsigned bits, Extend how) {
  const Gp dst = gp(alu.dst);
  if (const auto* imm = std::get_if<std::int32_t>(&alu.src)) {
    const auto up = static_cast<std::uint32_t>(*imm) << (32 - bits);
    const std::int32_t value = static_cast<std::int32_t>(up) >> (32 - bits);
    move_constant(a, dst, alu.is64 ? wide(value) : static_cast<std::uint32_t>(value));
    return;
  }
  a.extend(how, dst, gp(std::get<ebpf::Reg>(alu.src)));
  if (!alu.is64) {
    a.mov(Size::k32, dst, dst);
  }
}

void emit_arith(Assembler& a, const ebpf::Alu& alu, Arith op) {
  const Size size = alu.is64 ? Size::k64 : Size::k32;
  if (const auto* reg = std::get_if<ebpf::Reg>(&alu.src)) {
    a.arith(op, size, gp(alu.dst), gp(*reg));
  } else {
    a.arith(op, size, gp(alu.dst), std::get<std::int32_t>(alu.src));
  }
}

}  // namespace

void emit_alu(Assembler& a, const ebpf::Alu& alu) {
  const Size size = alu.is64 ? Size::k64 : Size::k32;
  switch (alu.op) {
    case AluOp::kAdd:
      return emit_arith(a, alu, Arith::kAdd);
    case AluOp::kSub:
      return emit_arith(a, alu, Arith::kSub);
    case AluOp::kOr:
      return emit_arith(a, alu, Arith::kOr);
    case AluOp::kAnd:
      return emit_arith(a, alu, Arith::kAnd);
    case AluOp::kXor:
      return emit_arith(a, alu, Arith::kXor);
    case AluOp::kMul:
      if (const auto* reg = std::get_if<ebpf::Reg>(&alu.src)) {
        return a.imul(size, gp(alu.dst), gp(*reg));
      }
      return a.imul(size, gp(alu.dst), gp(alu.dst), std::get<std::int32_t>(alu.src));
    case AluOp::kDiv:
    case AluOp::kSDiv:
    case AluOp::kMod:
    case AluOp::kSMod:
      return Division(a, alu).emit();
    case AluOp::kLsh:
      return emit_shift(a, alu, Shift::kShl);
    case AluOp::kRsh:
      return emit_shift(a, alu, Shift::kShr);
    case AluOp::kArsh:
      return emit_shift(a, alu, Shift::kSar);
    case AluOp::kNeg:
      return a.unary(Unary::kNeg, size, gp(alu.dst));
    case AluOp::kMov:
      return emit_move(a, alu);
    case AluOp::kMovSx8:
      return emit_sign_extension(a, alu, 8, Extend::kSign8);
    case AluOp::kMovSx16:
      return emit_sign_extension(a, alu, 16, Extend::kSign16);
    case AluOp::kMovSx32:
      return emit_sign_extension(a, alu, 32, Extend::kSign32);
  }
}

void emit_endian(Assembler& a, const ebpf::Endian& endian, bool is_zero_extended) {
  const Gp dst = gp(endian.dst);
  const bool swap = endian.op != ebpf::EndianOp::kToLittle;
  if (endian.bits == 16) {
    if (swap) {
      a.rotate16(dst, 8);
    }
    if (!is_zero_extended) {
      a.extend(Extend::kZero16, dst, dst);
    }
  } else if (endian.bits == 32) {
    if (swap) {
      a.bswap(Size::k32, dst);
    } else {
      a.mov(Size::k32, dst, dst);
    }
  } else if (swap) {
    a.bswap(Size::k64, dst);
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

bool emit_sum(Assembler& a, const ebpf::Alu& move, const ebpf::Alu& add) {
  const auto* src = std::get_if<ebpf::Reg>(&move.src);
  if (move.op != AluOp::kMov || !move.is64 || src == nullptr || add.op != AluOp::kAdd ||
      !add.is64 || add.dst != move.dst) {
    return false;
  }
  if (const auto* imm = std::get_if<std::int32_t>(&add.src)) {
    a.lea(gp(move.dst), {.base = gp(*src), .disp = *imm});
    return true;
  }
  const ebpf::Reg index = std::get<ebpf::Reg>(add.src);
  if (index == move.dst) {
    return false;  // What is added is what was just moved.
  }
  a.lea(gp(move.dst), {.base = gp(*src), .index = gp(index)});
  return true;
}

void emit_zero_stack(Assembler& a, std::int32_t bytes) {
  constexpr std::int32_t kUnrolled = 64;
  if (bytes <= kUnrolled) {
    for (std::int32_t at = 8; at <= bytes; at += 8) {
      a.store_imm(8, {Gp::kRbp, -at}, 0);
    }
    return;
  }
  const Label again = a.new_label();
  a.lea(Gp::kR10, {Gp::kRbp, -bytes});
  a.bind(again);
  a.store_imm(8, {Gp::kR10, 0}, 0);
  a.arith(Arith::kAdd, Size::k64, Gp::kR10, 8);
  a.arith(Arith::kCmp, Size::k64, Gp::kR10, Gp::kRbp);
  a.jcc(Condition::kNotEqual, again);
}

namespace {

// What a call of C++ may change and the code around it has values in.
constexpr std::array kSavedAroundCalls = {Gp::kRdi, Gp::kRsi, Gp::kRdx, Gp::kRcx, Gp::kR8, Gp::kR9};

}  // namespace

void emit_saves_around_call(Assembler& a) {
  for (const Gp reg : kSavedAroundCalls) {
    a.push(reg);
  }
}
void emit_restores_around_call(Assembler& a) {
  for (std::size_t i = kSavedAroundCalls.size(); i-- > 0;) {
    a.pop(kSavedAroundCalls[i]);
  }
}

void emit_helper_call(Assembler& a, const ebpf::Helper& helper) {
  emit_saves_around_call(a);
  // r1 to r5 move up by one, to make room for `user`.
  a.mov(Size::k64, Gp::kR9, Gp::kR8);
  a.mov(Size::k64, Gp::kR8, Gp::kRcx);
  a.mov(Size::k64, Gp::kRcx, Gp::kRdx);
  a.mov(Size::k64, Gp::kRdx, Gp::kRsi);
  a.mov(Size::k64, Gp::kRsi, Gp::kRdi);
  a.mov_imm(Gp::kRdi, reinterpret_cast<std::uint64_t>(helper.user));
  a.mov_imm(Gp::kRax, std::bit_cast<std::uint64_t>(helper.function));
  a.call(Gp::kRax);
  emit_restores_around_call(a);
}

namespace {

std::optional<Arith> arith_of(ebpf::AtomicOp op) {
  switch (op) {
    case ebpf::AtomicOp::kAdd:
      return Arith::kAdd;
    case ebpf::AtomicOp::kOr:
      return Arith::kOr;
    case ebpf::AtomicOp::kAnd:
      return Arith::kAnd;
    case ebpf::AtomicOp::kXor:
      return Arith::kXor;
    case ebpf::AtomicOp::kExchange:
    case ebpf::AtomicOp::kCompareExchange:
      return std::nullopt;
  }
  return std::nullopt;
}

// src = the old value; tried until nobody came in between. The processor compares with rax.
void emit_fetching_loop(Assembler& a, Arith op, Size size, x86::Mem place, Gp src) {
  a.push(Gp::kRcx);
  a.push(Gp::kRax);
  a.mov(Size::k64, kScratch, src);
  a.load(size == Size::k64 ? Extend::kNone64 : Extend::kZero32, Gp::kRax, place);
  const Label again = a.new_label();
  a.bind(again);
  a.mov(size, Gp::kRcx, Gp::kRax);
  a.arith(op, size, Gp::kRcx, kScratch);
  a.lock_cmpxchg(size, place, Gp::kRcx);
  a.jcc(Condition::kNotEqual, again);
  a.mov(size, kScratch, Gp::kRax);
  a.pop(Gp::kRax);
  a.pop(Gp::kRcx);
  a.mov(size, src, kScratch);
}

}  // namespace

void emit_atomic(Assembler& a, const ebpf::Atomic& atomic, x86::Mem place) {
  const Size size = atomic.width == ebpf::Width::kDw ? Size::k64 : Size::k32;
  const Gp src = gp(atomic.src);
  if (atomic.op == ebpf::AtomicOp::kExchange) {
    a.lock_xchg(size, place, src);
    return;
  }
  if (atomic.op == ebpf::AtomicOp::kCompareExchange) {
    a.lock_cmpxchg(size, place, src);
    if (size == Size::k32) {
      a.mov(size, Gp::kRax, Gp::kRax);  // Where nothing was loaded the upper half is still there.
    }
    return;
  }
  const Arith op = *arith_of(atomic.op);
  if (!atomic.fetch) {
    a.lock_arith(op, size, place, src);
  } else if (op == Arith::kAdd) {
    a.lock_xadd(size, place, src);
  } else {
    emit_fetching_loop(a, op, size, place, src);
  }
}

Condition emit_compare(Assembler& a, const ebpf::Jump& jump) {
  const Size size = jump.is64 ? Size::k64 : Size::k32;
  const Gp dst = gp(jump.dst);
  const auto* reg = std::get_if<ebpf::Reg>(&jump.src);
  const std::int32_t imm = reg != nullptr ? 0 : std::get<std::int32_t>(jump.src);
  if (jump.op == ebpf::JumpOp::kSet) {
    if (reg != nullptr) {
      a.test(size, dst, gp(*reg));
    } else {
      a.test(size, dst, imm);
    }
  } else if (reg != nullptr) {
    a.arith(Arith::kCmp, size, dst, gp(*reg));
  } else if (imm == 0) {
    a.test(size, dst, dst);
  } else {
    a.arith(Arith::kCmp, size, dst, imm);
  }
  return condition_of(jump.op);
}

Condition condition_of(ebpf::JumpOp op) {
  switch (op) {
    case ebpf::JumpOp::kJa:
    case ebpf::JumpOp::kEq:
      return Condition::kEqual;
    case ebpf::JumpOp::kNe:
    case ebpf::JumpOp::kSet:
      return Condition::kNotEqual;
    case ebpf::JumpOp::kGt:
      return Condition::kAbove;
    case ebpf::JumpOp::kGe:
      return Condition::kAboveOrEqual;
    case ebpf::JumpOp::kLt:
      return Condition::kBelow;
    case ebpf::JumpOp::kLe:
      return Condition::kBelowOrEqual;
    case ebpf::JumpOp::kSGt:
      return Condition::kGreater;
    case ebpf::JumpOp::kSGe:
      return Condition::kGreaterOrEqual;
    case ebpf::JumpOp::kSLt:
      return Condition::kLess;
    case ebpf::JumpOp::kSLe:
      return Condition::kLessOrEqual;
  }
  return Condition::kEqual;
}

}  // namespace weir::jit
