#include "cbpf/text/scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace weir::cbpf {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<std::uint32_t> digit_value(char c) {
  if (is_digit(c)) {
    return static_cast<std::uint32_t>(c - '0');
  }
  if (c >= 'a' && c <= 'f') {
    return static_cast<std::uint32_t>(c - 'a' + 10);
  }
  if (c >= 'A' && c <= 'F') {
    return static_cast<std::uint32_t>(c - 'A' + 10);
  }
  return std::nullopt;
}

// Takes the prefix off the digits and gives the base it names.
std::uint64_t take_base(std::string_view& digits) {
  if (digits.size() < 2 || digits[0] != '0') {
    return 10;
  }
  const char letter = digits[1];
  if (letter == 'x' || letter == 'X') {
    digits.remove_prefix(2);
    return 16;
  }
  if (letter == 'b' || letter == 'B') {
    digits.remove_prefix(2);
    return 2;
  }
  digits.remove_prefix(1);
  return 8;
}

constexpr std::uint64_t kTooLarge = std::uint64_t{1} << 32;

// The value of the digits, kTooLarge when it is 2^32 or more, nothing when they are not digits of
// the base.
std::optional<std::uint64_t> magnitude(std::string_view digits) {
  const std::uint64_t base = take_base(digits);
  if (digits.empty()) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (const char c : digits) {
    const std::optional<std::uint32_t> digit = digit_value(c);
    if (!digit || *digit >= base) {
      return std::nullopt;
    }
    value = std::min(value * base + *digit, kTooLarge);
  }
  return value;
}

}  // namespace

bool is_word_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

std::string lower_case(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return lower;
}

void Scanner::skip_blanks() {
  while (!at_end() && (peek() == ' ' || peek() == '\t' || peek() == '\r')) {
    advance();
  }
}

void Scanner::skip_space() {
  skip_blanks();
  while (!at_end() && peek() == '\n') {
    advance();
    skip_blanks();
  }
}

void Scanner::skip_line() {
  while (!at_end() && peek() != '\n') {
    advance();
  }
  advance();
}

bool Scanner::take(char c) {
  skip_blanks();
  if (at_end() || peek() != c) {
    return false;
  }
  advance();
  return true;
}

Status Scanner::expect(char c) {
  if (take(c)) {
    return {};
  }
  return fail_at(offset_, fmt::format("expected '{}', found {}", c, describe()));
}

std::string_view Scanner::word() {
  skip_blanks();
  const std::string_view found = peek_word();
  offset_ += found.size();
  return found;
}

std::string_view Scanner::peek_word() const {
  std::size_t end = offset_;
  while (end < text_.size() && is_word_character(text_[end])) {
    ++end;
  }
  return text_.substr(offset_, end - offset_);
}

bool Scanner::at_number() const {
  const char next = offset_ + 1 < text_.size() ? text_[offset_ + 1] : '\0';
  return is_digit(peek()) || ((peek() == '-' || peek() == '+') && is_digit(next));
}

Result<std::uint32_t> Scanner::number() {
  skip_blanks();
  const std::size_t start = offset_;
  if (!at_number()) {
    return fail_at(start, fmt::format("expected a number, found {}", describe()));
  }
  const bool negative = peek() == '-';
  if (!is_digit(peek())) {
    advance();
  }
  const std::string_view digits = word();
  const std::optional<std::uint64_t> value = magnitude(digits);
  const std::string_view written = text_.substr(start, offset_ - start);
  if (!value) {
    return fail_at(start, fmt::format("'{}' is not a number", written));
  }
  if (negative ? *value > kTooLarge / 2 : *value >= kTooLarge) {
    return fail_at(start, fmt::format("the number {} does not fit in 32 bits", written));
  }
  const auto bits = static_cast<std::uint32_t>(*value);
  return negative ? 0U - bits : bits;
}

Place Scanner::place_of(std::size_t offset) const {
  const std::string_view before = text_.substr(0, offset);
  const auto lines = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t newline = before.rfind('\n');
  const std::size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
  return {.line = lines + 1, .column = static_cast<std::uint32_t>(before.size() - line_start + 1)};
}

tl::unexpected<Error> Scanner::fail_at(std::size_t offset, std::string message) const {
  constexpr std::size_t kWidest = 200;  // A program in one line of xt_bpf is no help.
  const Place place = place_of(offset);
  const std::size_t line_end = std::min(shown_.find('\n', offset), shown_.size());
  const bool fits = line_end - offset + place.column <= kWidest;
  return fail(ErrorCode::kSyntax, std::move(message), place,
              fits ? caret_page(shown_, offset) : "");
}

std::string Scanner::describe() const {
  if (at_end()) {
    return "the end of the text";
  }
  if (peek() == '\n' || peek() == '\r') {
    return "the end of the line";
  }
  const std::string_view word = peek_word();
  if (!word.empty()) {
    return fmt::format("'{}'", word);
  }
  const auto byte = static_cast<unsigned char>(peek());
  return byte > ' ' && byte < 0x7f ? fmt::format("'{}'", peek())
                                   : fmt::format("the byte 0x{:02x}", byte);
}

}  // namespace weir::cbpf
