// The words of the IR's text form, one after the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "cbpf/base/result.h"

namespace weir::ir {

enum class TokenKind : std::uint8_t {
  kEnd,     // The end of the text.
  kWord,    // A letter or '_', then letters, digits and '_'.
  kNumber,  // Decimal or 0x hexadecimal, below 2^32.
  kSign,    // One of { } ( ) [ ] : , = ? + or => or ..
  kError,   // Anything else.
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;
  std::uint32_t number = 0;
  Place place;
};

// Cuts a text into tokens; blanks, line ends and comments (';' to the end of the line) separate
// them. The text must outlive the lexer and its tokens.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  Token next();

 private:
  void skip_blanks();
  Token take(TokenKind kind, std::size_t length);
  Token take_number();

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_begin_ = 0;
  std::uint32_t line_ = 1;
};

// The number of a text of digits, decimal or 0x hexadecimal; nothing when it is none or passes
// 2^32 - 1.
std::optional<std::uint32_t> parse_number(std::string_view text);

}  // namespace weir::ir
