#include "cbpf/base/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace weir {
namespace {

struct Character {
  std::size_t length = 1;  // In bytes.
  bool shown = false;      // Whether it is valid and harmless.
};

bool is_harmless(std::uint32_t c) {
  const bool control = c < 0x20 || (c >= 0x7f && c <= 0x9f);
  const bool layout =
      c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return !control && !layout;
}

// The character at the beginning of the text, which is not empty. One byte where it is not valid.
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) {
    return {1, is_harmless(lead)};
  }
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) {
    return {};
  }
  std::uint32_t value = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return {};
    }
    value = value << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < kLeast[length] || value > 0x10ffff || surrogate) {
    return {};
  }
  return {length, is_harmless(value)};
}

std::string escaped(char c) {
  switch (c) {
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    default:
      return fmt::format("\\x{:02x}", static_cast<std::uint8_t>(c));
  }
}

std::string made_printable(std::string_view text, std::string_view kept) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character character = first_character(text);
    const std::string_view bytes = text.substr(0, character.length);
    text.remove_prefix(character.length);
    if (character.shown || kept.find(bytes.front()) != std::string_view::npos) {
      out += bytes;
      continue;
    }
    for (const char c : bytes) {
      out += escaped(c);
    }
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) { return made_printable(text, {}); }

std::string printable_lines(std::string_view text) { return made_printable(text, "\n\t"); }

}  // namespace weir
