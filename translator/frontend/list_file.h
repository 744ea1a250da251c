// The text of a list: one member a line, '#' or ';' begins a comment.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace weir::frontend {

struct ListLine {
  std::string_view text;  // Without blanks around it and comments; never empty.
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

// The lines that hold a member, O(n). They point into the text. A byte order mark of UTF-8 is
// passed over.
std::vector<ListLine> read_list(std::string_view text);

}  // namespace weir::frontend
