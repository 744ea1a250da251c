#include "translator/frontend/list_file.h"

#include <algorithm>

namespace weir::frontend {

std::vector<ListLine> read_list(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  std::vector<ListLine> lines;
  for (std::uint32_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view whole = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view member = whole.substr(0, whole.find_first_of("#;"));
    const std::size_t first = member.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) {
      continue;
    }
    const std::size_t last = member.find_last_not_of(kBlanks);
    lines.push_back(
        {member.substr(first, last + 1 - first), line, static_cast<std::uint32_t>(first + 1)});
  }
  return lines;
}

}  // namespace weir::frontend
