// Finds the word of an expression that libpcap's sentence is about. libpcap gives a sentence and no
// place; its parser is asked again with parts of the expression until the place is known.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace weir::cbpf {

struct Word {
  std::size_t offset = 0;  // In bytes from the beginning of the expression.
  std::size_t length = 0;
  friend bool operator==(const Word&, const Word&) = default;
};

// The sentence libpcap refuses an expression with; empty when it takes it.
using Probe = std::function<std::string(const std::string& expression)>;

// The word that made libpcap refuse `expression` with `sentence`; a word of length 0 at the end
// when something is missing there. Nothing when the expression is not to blame, or is longer than
// 4096 words. Asks `probe` O(log n) times for n words (once more for each time a word that the
// sentence quotes stands in the expression).
std::optional<Word> find_offender(const std::string& expression, const std::string& sentence,
                                  const Probe& probe);

}  // namespace weir::cbpf
