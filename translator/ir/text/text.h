// The text form of the IR, both ways. What `weir explain` shows, what pass tests are written in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cbpf/base/result.h"
#include "translator/ir/function.h"

namespace weir::ir {

// One line a value, effect or terminator, two blanks in; constants stand where they are used,
// offsets and accept lengths in decimal, other numbers in decimal below 10, else in hexadecimal;
// values and blocks are numbered in order of appearance, so
// equal functions print equal. Of longer sets the first `most_ranges` are written and how many more
// there are, which parse() does not read.
std::string print(const Function& function, std::size_t most_ranges = SIZE_MAX);

// Reads what print() writes, and comments from ';' to the end of the line. kSyntax with line and
// column. The result has the shape of a function; check() says whether it is a right one.
Result<Function> parse(std::string_view text);

}  // namespace weir::ir
