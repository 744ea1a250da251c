// Bytes in network order, and their hexadecimal form. Packet bytes are only ever read through
// these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

using Bytes = std::span<const std::uint8_t>;

// Read big-endian from `p`; the caller has made sure that 2 (4) bytes are there.
inline std::uint32_t load_be16(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(p[0]) << 8 | p[1];
}
inline std::uint32_t load_be32(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(p[0]) << 24 | static_cast<std::uint32_t>(p[1]) << 16 |
         static_cast<std::uint32_t>(p[2]) << 8 | p[3];
}

// Two lower-case digits a byte, no blanks.
std::string to_hex(Bytes bytes);

// The bytes of a text of hexadecimal digits; white space is ignored. Nothing when a character is
// neither, or the digits are odd in number.
std::optional<std::vector<std::uint8_t>> from_hex(std::string_view text);

}  // namespace weir
