#include "translator/ir/names.h"

#include <array>
#include <cstddef>
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

std::string_view ancillary_name(cbpf::Extension extension) {
  constexpr std::array<std::string_view, 16> kNames = {
      "proto",  "type", "ifidx", "nla",      "nlan",       "mark", "queue", "hatype",
      "rxhash", "cpu",  "xor_x", "vlan_tci", "vlan_avail", "poff", "rand",  "vlan_tpid"};
  return kNames[(static_cast<std::size_t>(extension) / 4) % kNames.size()];
}

std::optional<cbpf::Extension> ancillary_by_name(std::string_view name) {
  for (std::uint8_t number = 0; number <= 60; number = static_cast<std::uint8_t>(number + 4)) {
    const auto extension = static_cast<cbpf::Extension>(number);
    if (ancillary_name(extension) == name) {
      return extension;
    }
  }
  return std::nullopt;
}

}  // namespace weir::ir
