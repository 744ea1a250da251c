#include "translator/jit/simd/simd_bindings.h"

#include <algorithm>

namespace weir::jit {
namespace {

using ebpf::AluOp;
using ebpf::PacketOp;
using ebpf::Reg;

Binding moved(Binding binding, std::int64_t by) {
  binding.offset += by;
  binding.least += by;
  binding.most += by;
  return binding;
}

Binding moved_to(const Binding& binding, std::int64_t by) {
  return binding.kind == Binding::Kind::kUnknown ? binding : moved(binding, by);
}

}  // namespace

void SimdBindings::join(SimdId mask, const Bindings& elsewhere) {
  for (std::size_t reg = 0; reg < bound_.size(); ++reg) {
    bound_[reg] = join(mask, elsewhere[reg], bound_[reg]);
  }
}

Binding SimdBindings::join(SimdId mask, const Binding& one, const Binding& other) {
  if (one == other) {
    return one;
  }
  if (one.kind != other.kind || one.kind == Binding::Kind::kUnknown) {
    return {};
  }
  Binding both = one;
  if (one.offset != other.offset) {
    both.offset = 0;
    both.value = v_.choose(mask, whole(one), whole(other));
  } else {
    both.value = v_.choose(mask, one.value, other.value);
  }
  both.least = std::min(one.least, other.least);
  both.most = std::max(one.most, other.most);
  return both;
}

std::optional<SimdId> SimdBindings::operand(const ebpf::Operand& source, bool is64) {
  if (const auto* reg = std::get_if<Reg>(&source)) {
    return is_number(*reg) ? std::optional((*this)[*reg].value) : std::nullopt;
  }
  const std::int32_t imm = std::get<std::int32_t>(source);
  return is64 && imm < 0 ? std::nullopt
                         : std::optional(v_.constant(static_cast<std::uint32_t>(imm)));
}

SimdId SimdBindings::whole(const Binding& binding) {
  const SimdId sum = v_.binary(SimdOp::kAdd, binding.value,
                               v_.constant(static_cast<std::uint32_t>(binding.offset)));
  if (usable(binding)) {
    v_.limit(sum, static_cast<std::uint32_t>(binding.most));
  }
  return sum;
}

bool SimdBindings::usable(const Binding& binding) const {
  return binding.kind == Binding::Kind::kPointer && binding.least >= 0 &&
         binding.most <= kMostOffset && v_.most(binding.value) <= SimdValues::kMostSigned;
}

Binding SimdBindings::moved_by_number(const Binding& to, SimdId by) {
  const std::uint32_t most = v_.most(by);
  if (most > SimdValues::kMostSigned || v_.most(to.value) > SimdValues::kMostSigned) {
    return {};
  }
  return pointer(v_.binary(SimdOp::kAdd, to.value, by), to.offset, to.least, to.most + most);
}

Binding SimdBindings::address(const PacketOp& op) {
  const Binding start = pointer(v_.zero(), 0, 0, 0);
  if (!op.base) {
    return op.from_start ? moved(start, op.offset) : Binding{};
  }
  const Binding& base = (*this)[*op.base];
  if (op.from_start) {
    return base.kind == Binding::Kind::kNumber
               ? moved_to(moved_by_number(start, base.value), op.offset)
               : Binding{};
  }
  return base.kind == Binding::Kind::kPointer ? moved(base, op.offset) : Binding{};
}

bool SimdBindings::run(const ebpf::Instruction& instruction) {
  if (const auto* alu = std::get_if<ebpf::Alu>(&instruction)) {
    (*this)[alu->dst] = alu->is64 ? after_wide(*alu) : after_narrow(*alu);
    return true;
  }
  if (const auto* endian = std::get_if<ebpf::Endian>(&instruction)) {
    (*this)[endian->dst] = after(*endian);
    return true;
  }
  const auto* load = std::get_if<ebpf::LoadImm64>(&instruction);
  if (load == nullptr) {
    return false;
  }
  (*this)[load->dst] = load->kind == ebpf::Imm64Kind::kValue && load->value <= SimdValues::kAll
                           ? number(v_.constant(static_cast<std::uint32_t>(load->value)))
                           : Binding{};
  return true;
}

// What the register holds after an operation; kUnknown where that does not fit.
Binding SimdBindings::after_narrow(const ebpf::Alu& alu) {
  const std::optional<SimdId> src = operand(alu.src, false);
  if (alu.op == AluOp::kMov) {
    return src ? number(*src) : Binding{};
  }
  if (!is_number(alu.dst) || !src) {
    return {};
  }
  return computed(alu.op, (*this)[alu.dst].value, *src);
}

// Of 32 bits.
Binding SimdBindings::computed(AluOp op, SimdId dst, SimdId src) {
  const bool is_count = v_.values()[src].op == SimdOp::kConst;
  const std::uint32_t count = v_.values()[src].imm & 31;
  switch (op) {
    case AluOp::kAdd:
      return number(v_.binary(SimdOp::kAdd, dst, src));
    case AluOp::kSub:
      return number(v_.binary(SimdOp::kSub, dst, src));
    case AluOp::kMul:
      return number(v_.binary(SimdOp::kMul, dst, src));
    case AluOp::kOr:
      return number(v_.binary(SimdOp::kOr, dst, src));
    case AluOp::kAnd:
      return number(v_.binary(SimdOp::kAnd, dst, src));
    case AluOp::kXor:
      return number(v_.binary(SimdOp::kXor, dst, src));
    case AluOp::kNeg:
      return number(v_.binary(SimdOp::kSub, v_.zero(), dst));
    case AluOp::kLsh:
      return is_count ? number(v_.shift(SimdOp::kShl, dst, count)) : Binding{};
    case AluOp::kRsh:
      return is_count ? number(v_.shift(SimdOp::kShr, dst, count)) : Binding{};
    case AluOp::kArsh:
      return is_count ? number(v_.shift(SimdOp::kSar, dst, count)) : Binding{};
    case AluOp::kMov:
    case AluOp::kDiv:
    case AluOp::kSDiv:
    case AluOp::kMod:
    case AluOp::kSMod:
    case AluOp::kMovSx8:
    case AluOp::kMovSx16:
    case AluOp::kMovSx32:
      return {};
  }
  return {};
}

Binding SimdBindings::after_wide(const ebpf::Alu& alu) {
  if (alu.op == AluOp::kMov) {
    if (const auto* reg = std::get_if<Reg>(&alu.src)) {
      return (*this)[*reg];
    }
  }
  if (alu.op == AluOp::kAdd || alu.op == AluOp::kSub) {
    if (const std::optional<Binding> sum = moved_pointer(alu)) {
      return *sum;
    }
  }
  const std::optional<SimdId> src = operand(alu.src, true);
  if (!src) {
    return {};
  }
  if (alu.op == AluOp::kMov) {
    return number(*src);
  }
  if (!is_number(alu.dst)) {
    return {};
  }
  const SimdId dst = (*this)[alu.dst].value;
  return fits_narrow(alu.op, dst, *src) ? computed(alu.op, dst, *src) : Binding{};
}

// Pointer + or - a number; nothing when neither side is a pointer.
std::optional<Binding> SimdBindings::moved_pointer(const ebpf::Alu& alu) {
  const Binding& to = (*this)[alu.dst];
  const auto* imm = std::get_if<std::int32_t>(&alu.src);
  if (imm != nullptr) {
    return to.kind == Binding::Kind::kPointer
               ? std::optional(moved(to, alu.op == AluOp::kAdd ? *imm : -std::int64_t{*imm}))
               : std::nullopt;
  }
  const Binding& by = (*this)[std::get<Reg>(alu.src)];
  const bool to_pointer = to.kind == Binding::Kind::kPointer;
  if (!to_pointer && by.kind != Binding::Kind::kPointer) {
    return std::nullopt;
  }
  const Binding& other = to_pointer ? by : to;
  if (alu.op != AluOp::kAdd || other.kind != Binding::Kind::kNumber) {
    return Binding{};
  }
  return moved_by_number(to_pointer ? to : by, other.value);
}

// Whether an operation of 64 bits on two numbers gives one whose upper half is 0 and whose lower
// half is that of 32 bits.
bool SimdBindings::fits_narrow(AluOp op, SimdId dst, SimdId src) const {
  const std::uint64_t a = v_.most(dst);
  const std::uint64_t b = v_.most(src);
  switch (op) {
    case AluOp::kAdd:
      return a + b <= SimdValues::kAll;
    case AluOp::kOr:
    case AluOp::kAnd:
    case AluOp::kXor:
      return true;
    case AluOp::kLsh:
      return b < 32 && (a << b) <= SimdValues::kAll;
    case AluOp::kRsh:
      return b < 32;
    case AluOp::kArsh:
      return b < 32 && a <= SimdValues::kMostSigned;
    case AluOp::kSub:
    case AluOp::kMul:
    case AluOp::kDiv:
    case AluOp::kSDiv:
    case AluOp::kNeg:
    case AluOp::kMod:
    case AluOp::kSMod:
    case AluOp::kMov:
    case AluOp::kMovSx8:
    case AluOp::kMovSx16:
    case AluOp::kMovSx32:
      return false;
  }
  return false;
}

Binding SimdBindings::after(const ebpf::Endian& endian) {
  if (!is_number(endian.dst) || endian.bits == 64) {
    return {};
  }
  const SimdId value = (*this)[endian.dst].value;
  if (endian.op == ebpf::EndianOp::kToLittle) {
    return number(endian.bits == 16 ? v_.binary(SimdOp::kAnd, value, v_.constant(0xffff)) : value);
  }
  return number(v_.swap(value, endian.bits / 8));
}

}  // namespace weir::jit
