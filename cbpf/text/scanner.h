// A cursor over a program's text, shared by the assembler and the bytecode readers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cbpf/base/result.h"

namespace weir::cbpf {

// Whether the character may stand in a name: a letter, a digit or '_'. ASCII only, whatever the
// locale is.
bool is_word_character(char c);

// The word in lower case (ASCII).
std::string lower_case(std::string_view word);

// Walks over a text and knows where it is. The text must outlive the scanner. Past the end every
// peek is '\0'; a '\0' inside the text is a character like any other that no rule accepts.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : Scanner(text, text) {}
  // `shown` is what the user wrote where `text` has blanks instead of comments; byte for byte as
  // long.
  Scanner(std::string_view text, std::string_view shown) : text_(text), shown_(shown) {}

  std::size_t offset() const { return offset_; }
  bool at_end() const { return offset_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[offset_]; }
  void advance() { offset_ += at_end() ? 0 : 1; }

  // Spaces, tabs and carriage returns; not the end of the line.
  void skip_blanks();
  // All white space.
  void skip_space();
  void skip_line();

  // Takes the character if it is next (after blanks).
  bool take(char c);
  // kSyntax "expected 'C' …" if it is not.
  Status expect(char c);
  // The longest run of word characters (after blanks); empty if there is none.
  std::string_view word();
  // The word that word() would give, without taking it.
  std::string_view peek_word() const;

  // Whether a number starts here: a digit, or a sign and a digit.
  bool at_number() const;
  // A number of 32 bits (after blanks): decimal, 0x…, 0b… or 0 and octal digits, perhaps with a
  // sign; from -2^31, which wraps as two's complement, to 2^32 - 1. kSyntax when it is no number or
  // too large.
  Result<std::uint32_t> number();

  // Line and column of a byte of the text, O(offset): for errors.
  Place place_of(std::size_t offset) const;
  // A kSyntax error there, with a caret page as its detail unless the line is very long.
  tl::unexpected<Error> fail_at(std::size_t offset, std::string message) const;
  // What stands at the cursor, quoted for an error sentence: "'foo'", "',' " or "the end of the
  // line".
  std::string describe() const;

 private:
  std::string_view text_;
  std::string_view shown_;
  std::size_t offset_ = 0;
};

}  // namespace weir::cbpf
