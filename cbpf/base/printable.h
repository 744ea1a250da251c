// Foreign text for a terminal: what files, interfaces, programs and users bring along is shown, and
// cannot steer the terminal or end a line.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// The text on one line. Newline and tab become \n and \t. Every other byte is written \xNN that
// belongs to a control character (C0, DEL, C1), to one that reorders text or breaks lines (U+200E,
// U+200F, U+2028 to U+202E, U+2066 to U+2069), or to no valid UTF-8 (RFC 3629). Everything else,
// the backslash too, stays as it is; so printable(printable(x)) == printable(x).
std::string printable(std::string_view text);

// The same for text of several lines, such as a caret page: newlines and tabs stay.
std::string printable_lines(std::string_view text);

}  // namespace weir
