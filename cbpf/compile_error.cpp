#include "cbpf/compile_error.h"

#include <string_view>
#include <vector>

namespace weir::cbpf {
namespace {

constexpr std::size_t kMaxWords = 4096;

// A word that libpcap's scanner refuses with a sentence of its own: read behind a beginning of an
// expression it tells whether the parser came to the end of that beginning.
constexpr std::string_view kMarker = " 1:1:";

bool is_word_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
         c == '_' || c == ':' || c == '-' || c == '\\' || static_cast<unsigned char>(c) >= 0x80;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_double_operator(std::string_view text) {
  return text == "&&" || text == "||" || text == "<=" || text == ">=" || text == "!=" ||
         text == "==" || text == "<<" || text == ">>";
}

std::vector<Word> split(std::string_view text) {
  std::vector<Word> words;
  for (std::size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    if (is_word_character(text[at])) {
      while (end < text.size() && is_word_character(text[end])) ++end;
    } else if (is_double_operator(text.substr(at, 2))) {
      end = at + 2;
    }
    words.push_back({at, end - at});
    at = end;
  }
  return words;
}

// The fewest words, from the first, for which `refused` holds; words.size() + 1 when it never does.
// It holds for every longer beginning, too: the parser reads from left to right and stops at the
// first thing it does not take.
template <typename Refused>
std::size_t shortest_refused(const std::string& expression, const std::vector<Word>& words,
                             const Refused& refused) {
  std::size_t low = 1;
  std::size_t high = words.size() + 1;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const Word& last = words[middle - 1];
    if (refused(expression.substr(0, last.offset + last.length))) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// What stands between the first pair of quotation marks of a sentence.
std::string_view quoted(std::string_view sentence) {
  const std::size_t open = sentence.find_first_of("'\"");
  if (open == std::string_view::npos) return {};
  const std::size_t close = sentence.find(sentence[open], open + 1);
  if (close == std::string_view::npos) return {};
  return sentence.substr(open + 1, close - open - 1);
}

std::vector<Word> occurrences(std::string_view text, std::string_view part) {
  std::vector<Word> found;
  if (part.empty()) return found;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + 1)) {
    const std::size_t end = at + part.size();
    const bool begins = at == 0 || !is_word_character(text[at - 1]) || text[at - 1] == '\\';
    const bool ends = end == text.size() || !is_word_character(text[end]);
    if (begins && ends) {
      found.push_back({at, part.size()});
    }
  }
  return found;
}

std::optional<Word> find_quoted(const std::string& expression, const std::string& sentence,
                                const Probe& probe) {
  const std::vector<Word> found = occurrences(expression, quoted(sentence));
  if (found.size() == 1) {
    return found.front();
  }
  for (const Word& word : found) {
    if (probe(expression.substr(0, word.offset + word.length)) == sentence) {
      return word;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Word> find_offender(const std::string& expression, const std::string& sentence,
                                  const Probe& probe) {
  if (const std::optional<Word> word = find_quoted(expression, sentence, probe)) {
    return word;
  }
  const std::vector<Word> words = split(expression);
  if (words.empty() || words.size() > kMaxWords || probe({}) == sentence) {
    return std::nullopt;
  }
  if (!sentence.ends_with("syntax error")) {
    const std::size_t n = shortest_refused(expression, words, [&](const std::string& beginning) {
      return probe(beginning) == sentence;
    });
    return n > words.size() ? std::nullopt : std::optional(words[n - 1]);
  }
  const std::size_t n = shortest_refused(expression, words, [&](std::string beginning) {
    return probe(beginning.append(kMarker)) == sentence;
  });
  if (n <= words.size()) {
    return words[n - 1];
  }
  return Word{words.back().offset + words.back().length, 0};
}

}  // namespace weir::cbpf
