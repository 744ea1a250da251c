#include "translator/ir/build/instruction_builder.h"

namespace weir::ir {
namespace {

using cbpf::Instruction;

std::uint8_t width(const Instruction& i) {
  return static_cast<std::uint8_t>(cbpf::width_of(i.code));
}

}  // namespace

bool InstructionBuilder::append(const Instruction& i, std::uint32_t at) {
  switch (cbpf::class_of(i.code)) {
    case cbpf::kLd:
      return append_load(i, at);
    case cbpf::kLdx:
      return append_load_x(i, at);
    case cbpf::kSt:
      state_[kM + i.k] = state_[kA];
      return true;
    case cbpf::kStx:
      state_[kM + i.k] = state_[kX];
      return true;
    case cbpf::kAlu:
      return append_arithmetic(i);
    default: {  // kMisc.
      const bool tax = (i.code & 0xf8) == cbpf::kTax;
      state_[tax ? kX : kA] = state_[tax ? kA : kX];
      return true;
    }
  }
}

bool InstructionBuilder::append_arithmetic(const Instruction& i) {
  const Op op = arithmetic_op(i.code, dialect_);
  ValueId b = kNoValue;
  if (op != Op::kNeg) {
    b = cbpf::source_of(i.code) == cbpf::kX ? state_[kX] : builder_.constant(i.k);
  }
  if (op == Op::kDiv || op == Op::kMod) {
    if (!builder_.is_constant(b)) {
      builder_.guard(b);
    } else if (builder_.number(b) == 0) {
      return false;
    }
  }
  state_[kA] = builder_.arithmetic(op, state_[kA], b);
  return true;
}

bool InstructionBuilder::append_load(const Instruction& i, std::uint32_t at) {
  switch (cbpf::mode_of(i.code)) {
    case cbpf::kImm:
      state_[kA] = builder_.constant(i.k);
      return true;
    case cbpf::kLen:
      state_[kA] = builder_.append({.op = Op::kLength});
      return true;
    case cbpf::kMem:
      state_[kA] = state_[kM + i.k];
      return true;
    case cbpf::kAbs:
      if (const auto extension = cbpf::extension_at(i.k)) {
        append_extension(*extension);
        return true;
      }
      return set(kA, loads_.absolute(i.k, width(i), at));
    default:  // kInd.
      return set(kA, loads_.indirect(state_[kX], i.k, width(i), at));
  }
}

bool InstructionBuilder::append_load_x(const Instruction& i, std::uint32_t at) {
  switch (cbpf::mode_of(i.code)) {
    case cbpf::kImm:
      state_[kX] = builder_.constant(i.k);
      return true;
    case cbpf::kLen:
      state_[kX] = builder_.append({.op = Op::kLength});
      return true;
    case cbpf::kMem:
      state_[kX] = state_[kM + i.k];
      return true;
    default: {  // kMsh.
      const ValueId byte = loads_.absolute(i.k, 1, at);
      if (byte == kNoValue) {
        return false;
      }
      const ValueId low = builder_.arithmetic(Op::kAnd, byte, builder_.constant(0xf));
      state_[kX] = builder_.arithmetic(Op::kShl, low, builder_.constant(2));
      return true;
    }
  }
}

void InstructionBuilder::append_extension(cbpf::Extension extension) {
  if (extension == cbpf::Extension::kAluXorX) {
    state_[kA] = builder_.arithmetic(Op::kXor, state_[kA], state_[kX]);
  } else {
    state_[kA] =
        builder_.append({.op = Op::kAncillary, .k = static_cast<std::uint32_t>(extension)});
  }
}

bool InstructionBuilder::set(std::uint32_t variable, ValueId value) {
  if (value != kNoValue) {
    state_[variable] = value;
  }
  return value != kNoValue;
}

}  // namespace weir::ir
