// The numbers and literals of sentinels.
#pragma once

#include <optional>
#include <string>

#include "translator/frontend/chains.h"

namespace weir::frontend {

// Sets the words of the sentinel that is the `index`-th of its kind; no other sentinel of any kind
// has one of these numbers in that text. False where the numbers of the kind are used up.
bool choose_words(Sentinel& sentinel, std::size_t index);

// The literal of a sentinel in the text of that number (0 or 1).
std::string literal_of(const Sentinel& sentinel, std::size_t text);

}  // namespace weir::frontend
