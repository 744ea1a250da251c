// Fits text into the columns of a terminal, and tells what that terminal can do.
#pragma once

#include <string>
#include <string_view>

namespace weir::tool {

constexpr std::size_t kHelpColumns = 80;
constexpr std::size_t kTableColumns = 100;

// Whether a line of the descriptor can be overwritten and drawn on: it is a terminal, TERM names
// one that is not "dumb", and NO_COLOR is unset or empty.
bool draws_on(int descriptor);

// Words of `text`, separated by blanks or newlines, in lines of at most `columns` bytes, each with
// its newline. The first line follows what `indent` bytes of the caller's already fill; the others
// begin with as many blanks. A word that is longer than a line has one of its own.
std::string wrap_words(std::string_view text, std::size_t indent, std::size_t columns);

// Paragraphs, separated by empty lines, each wrapped. Lines that begin with a blank stay as they
// are.
std::string wrap_paragraphs(std::string_view text, std::size_t columns);

// Lines "  command   remark", and remarks that go on in lines of blanks and words. Where both do
// not fit into a line the remark follows on the next.
std::string wrap_examples(std::string_view text, std::size_t columns);

}  // namespace weir::tool
