#include "translator/ir/names.h"

#include <cstdint>

namespace weir::ir {

std::string_view op_name(Op op) {
  switch (op) {
    case Op::kConstant:
      return "constant";
    case Op::kParameter:
      return "parameter";
    case Op::kLength:
      return "length";
    case Op::kAncillary:
      return "ancillary";
    case Op::kLoopState:
      return "loop_state";
    case Op::kLoad:
      return "load";
    case Op::kAdd:
      return "add";
    case Op::kSub:
      return "sub";
    case Op::kMul:
      return "mul";
    case Op::kDiv:
      return "div";
    case Op::kMod:
      return "mod";
    case Op::kAnd:
      return "and";
    case Op::kOr:
      return "or";
    case Op::kXor:
      return "xor";
    case Op::kShl:
      return "shl";
    case Op::kShr:
      return "shr";
    case Op::kShlModulo:
      return "shl_modulo";
    case Op::kShrModulo:
      return "shr_modulo";
    case Op::kNeg:
      return "neg";
    case Op::kHas:
      return "has";
    case Op::kJoin:
      return "join";
    case Op::kIn:
      return "in";
    case Op::kNeed:
      return "need";
    case Op::kGuard:
      return "guard";
  }
  return "";
}

std::optional<Op> arithmetic_by_name(std::string_view name) {
  for (auto i = static_cast<std::uint8_t>(Op::kAdd); i <= static_cast<std::uint8_t>(Op::kNeg);
       ++i) {
    if (op_name(static_cast<Op>(i)) == name) {
      return static_cast<Op>(i);
    }
  }
  return std::nullopt;
}

std::string_view compare_name(Compare compare) {
  switch (compare) {
    case Compare::kEq:
      return "eq";
    case Compare::kNe:
      return "ne";
    case Compare::kGt:
      return "gt";
    case Compare::kGe:
      return "ge";
    case Compare::kLt:
      return "lt";
    case Compare::kLe:
      return "le";
    case Compare::kSet:
      return "set";
    case Compare::kClear:
      return "clear";
  }
  return "";
}

std::optional<Compare> compare_by_name(std::string_view name) {
  for (std::uint8_t i = 0; i <= static_cast<std::uint8_t>(Compare::kClear); ++i) {
    if (compare_name(static_cast<Compare>(i)) == name) {
      return static_cast<Compare>(i);
    }
  }
  return std::nullopt;
}

std::optional<cbpf::Extension> extension_by_name(std::string_view name) {
  for (std::uint8_t number = 0; number <= 60; number = static_cast<std::uint8_t>(number + 4)) {
    const auto extension = static_cast<cbpf::Extension>(number);
    if (cbpf::extension_name(extension) == name) {
      return extension;
    }
  }
  return std::nullopt;
}

}  // namespace weir::ir
