// Registers as bits of a set: bit n is rn. An operand that is a number, or no register, is none.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "translator/ebpf/instruction.h"

namespace weir::ebpf {

constexpr std::uint16_t bit(Reg reg) {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(reg));
}
constexpr std::uint16_t bit(const Operand& operand) {
  const auto* reg = std::get_if<Reg>(&operand);
  return reg != nullptr ? bit(*reg) : std::uint16_t{0};
}
constexpr std::uint16_t bit(const std::optional<Reg>& reg) {
  return reg ? bit(*reg) : std::uint16_t{0};
}

}  // namespace weir::ebpf
