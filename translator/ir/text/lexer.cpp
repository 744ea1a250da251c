#include "translator/ir/text/lexer.h"

#include <charconv>
#include <system_error>

namespace weir::ir {
namespace {

// Not the <cctype> ones: those depend on the locale.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

}  // namespace

std::optional<std::uint32_t> parse_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || stop != end) {
    return std::nullopt;
  }
  return number;
}

void Lexer::skip_blanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '\n') {
      ++line_;
      line_begin_ = at_ + 1;
    } else if (c == ';') {
      while (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') {
        ++at_;
      }
    } else if (c != ' ' && c != '\t' && c != '\r') {
      return;
    }
    ++at_;
  }
}

Token Lexer::take(TokenKind kind, std::size_t length) {
  Token token;
  token.kind = kind;
  token.text = text_.substr(at_, length);
  token.place.line = line_;
  token.place.column = static_cast<std::uint32_t>(at_ - line_begin_ + 1);
  at_ += length;
  return token;
}

Token Lexer::take_number() {
  std::size_t end = at_;
  while (end < text_.size() && (is_digit(text_[end]) || is_letter(text_[end]))) {
    ++end;
  }
  Token token = take(TokenKind::kNumber, end - at_);
  if (const auto number = parse_number(token.text)) {
    token.number = *number;
  } else {
    token.kind = TokenKind::kError;
  }
  return token;
}

Token Lexer::next() {
  skip_blanks();
  if (at_ >= text_.size()) {
    return take(TokenKind::kEnd, 0);
  }
  const char c = text_[at_];
  if (is_digit(c)) {
    return take_number();
  }
  if (is_letter(c)) {
    std::size_t end = at_;
    while (end < text_.size() && (is_digit(text_[end]) || is_letter(text_[end]))) {
      ++end;
    }
    return take(TokenKind::kWord, end - at_);
  }
  const std::string_view two = text_.substr(at_, 2);
  if (two == "=>" || two == "..") {
    return take(TokenKind::kSign, 2);
  }
  const bool sign = std::string_view("{}()[]:,=?+").find(c) != std::string_view::npos;
  return take(sign ? TokenKind::kSign : TokenKind::kError, 1);
}

}  // namespace weir::ir
