#include "cbpf/base/result.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir {
namespace {

// A sentence may quote a file that is not text, and what it quotes must not steer a terminal.
std::string without_controls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool control = (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f;
    out += control ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return out;
}

}  // namespace

std::string to_string(const Error& error) {
  std::string out;
  const Place& place = error.place;
  if (!place.file.empty()) {
    out += place.file + ":";
  }
  if (place.line != 0) {
    out += fmt::format("{}:", place.line);
    if (place.column != 0) {
      out += fmt::format("{}:", place.column);
    }
  }
  if (!out.empty()) {
    out += ' ';
  }
  if (place.instruction) {
    out += fmt::format("instruction {}: ", *place.instruction);
  }
  out += error.message;
  return without_controls(out);
}

std::string caret_page(std::string_view text, std::size_t offset, std::size_t length) {
  offset = std::min(offset, text.size());
  const std::size_t before = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  const std::size_t end = std::min(text.find('\n', offset), text.size());
  std::string page(text.substr(begin, end - begin));
  page += '\n';
  for (std::size_t i = begin; i < offset; ++i) {
    page += text[i] == '\t' ? '\t' : ' ';
  }
  page += '^';
  if (length > 1 && offset < end) {
    page.append(std::min(length, end - offset) - 1, '~');
  }
  return page;
}

}  // namespace weir
