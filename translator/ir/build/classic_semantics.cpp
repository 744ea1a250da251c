#include "translator/ir/build/classic_semantics.h"

namespace weir::ir {

Effects effects(const cbpf::Instruction& i) {
  const std::uint32_t a = 1U << kA;
  const std::uint32_t x = 1U << kX;
  const std::uint32_t m = 1U << (kM + i.k % cbpf::kScratchWords);
  const std::uint16_t mode = cbpf::mode_of(i.code);
  const bool with_x = cbpf::source_of(i.code) == cbpf::kX;
  switch (cbpf::class_of(i.code)) {
    case cbpf::kLd:
      if (mode == cbpf::kAbs && cbpf::extension_at(i.k) == cbpf::Extension::kAluXorX) {
        return {a | x, a};
      }
      return {mode == cbpf::kInd ? x : mode == cbpf::kMem ? m : 0, a};
    case cbpf::kLdx:
      return {mode == cbpf::kMem ? m : 0, x};
    case cbpf::kSt:
      return {a, m};
    case cbpf::kStx:
      return {x, m};
    case cbpf::kAlu:
      return {cbpf::op_of(i.code) != cbpf::kNeg && with_x ? a | x : a, a};
    case cbpf::kJmp:
      return {cbpf::op_of(i.code) == cbpf::kJa ? 0 : with_x ? a | x : a, 0};
    case cbpf::kRet:
      return {(i.code & 0x18) == cbpf::kA ? a : 0, 0};
    default:  // kMisc.
      return (i.code & 0xf8) == cbpf::kTax ? Effects{a, x} : Effects{x, a};
  }
}

Op arithmetic_op(std::uint16_t code, cbpf::Dialect dialect) {
  const bool modulo = dialect == cbpf::Dialect::kLinux && cbpf::source_of(code) == cbpf::kX;
  switch (cbpf::op_of(code)) {
    case cbpf::kAdd:
      return Op::kAdd;
    case cbpf::kSub:
      return Op::kSub;
    case cbpf::kMul:
      return Op::kMul;
    case cbpf::kDiv:
      return Op::kDiv;
    case cbpf::kMod:
      return Op::kMod;
    case cbpf::kAnd:
      return Op::kAnd;
    case cbpf::kOr:
      return Op::kOr;
    case cbpf::kXor:
      return Op::kXor;
    case cbpf::kLsh:
      return modulo ? Op::kShlModulo : Op::kShl;
    case cbpf::kRsh:
      return modulo ? Op::kShrModulo : Op::kShr;
    default:  // cbpf::kNeg.
      return Op::kNeg;
  }
}

Compare compare_of(std::uint16_t code) {
  switch (cbpf::op_of(code)) {
    case cbpf::kJeq:
      return Compare::kEq;
    case cbpf::kJgt:
      return Compare::kGt;
    case cbpf::kJge:
      return Compare::kGe;
    default:  // cbpf::kJset.
      return Compare::kSet;
  }
}

}  // namespace weir::ir
