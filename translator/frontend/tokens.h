// The words of a filter expression, as far as lists need them: what libpcap's scanner takes for
// names, numbers and addresses is one kWord here, and what has no meaning for lists is kOther.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace weir::frontend {

enum class TokenKind : std::uint8_t {
  kWord,
  kFile,   // @NAME; the text is NAME.
  kOpen,   // (
  kClose,  // )
  kOr,     // or ||
  kAnd,    // and &&
  kNot,    // not !
  kOther,
};

struct Token {
  TokenKind kind = TokenKind::kOther;
  std::string_view text;
  std::size_t begin = 0;  // In the expression, and behind the last character.
  std::size_t end = 0;
};

// O(n). "src or dst" and "dst or src" come out as one word "src or dst". The text must outlive the
// tokens.
std::vector<Token> tokenize(std::string_view text);

}  // namespace weir::frontend
