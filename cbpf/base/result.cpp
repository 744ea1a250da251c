#include "cbpf/base/result.h"

#include <fmt/format.h>

#include <algorithm>

#include "cbpf/base/printable.h"

namespace weir {
namespace {

// The cells of a terminal that a printable text without tabs takes: a byte that continues a
// character of UTF-8 takes none.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
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
  return printable_lines(out);
}

std::string caret_page(std::string_view text, std::size_t offset, std::size_t length) {
  offset = std::min(offset, text.size());
  const std::size_t before = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  const std::size_t end = std::min(text.find('\n', offset), text.size());
  const std::string_view line = text.substr(begin, end - begin);
  std::string page = printable_lines(line) + '\n';
  for (std::string_view rest = line.substr(0, std::min(offset, end) - begin); !rest.empty();) {
    const std::size_t tab = std::min(rest.find('\t'), rest.size());
    page.append(columns(printable(rest.substr(0, tab))), ' ');
    page.append(tab < rest.size() ? "\t" : "");
    rest.remove_prefix(std::min(tab + 1, rest.size()));
  }
  page += '^';
  if (length > 1 && offset < end) {
    const std::string marked = printable_lines(text.substr(offset, std::min(length, end - offset)));
    page.append(std::max<std::size_t>(columns(marked), 1) - 1, '~');
  }
  return page;
}

}  // namespace weir
