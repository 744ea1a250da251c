// Which values can stay in network byte order.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "translator/ir/function.h"

namespace weir::lower {

// By ValueId: 0 when the value must be in host order, else the width (2 or 4) of the packet field
// it comes from; it then may be kept as the packet has it. These are loads, and what and, or, xor
// with constants make of them, whose every use in the end is a compare with a constant for equality
// or for bits, or a test for a set of single numbers; the constants and members change their order
// instead, once, at translation. (pflua does the same.) O(n).
std::vector<std::uint8_t> network_order_widths(const ir::Function& function);

// The number whose host representation has the bytes of `value` in network order; `width` is 2 or
// 4.
constexpr std::uint32_t in_network_order(std::uint32_t value, std::uint8_t width) {
  if constexpr (std::endian::native == std::endian::big) {
    return value;
  }
  return width == 2 ? (value & 0xff) << 8 | (value >> 8 & 0xff)
                    : value << 24 | (value & 0xff00) << 8 | (value >> 8 & 0xff00) | value >> 24;
}

}  // namespace weir::lower
