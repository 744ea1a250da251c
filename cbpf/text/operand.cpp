#include "cbpf/text/operand.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "cbpf/text/grammar.h"

namespace weir::cbpf {
namespace {

using enum OperandKind;

Result<Operand> extension_operand(const Scanner& scanner, std::string_view word,
                                  std::size_t offset) {
  const std::string name = lower_case(word);
  if (is_length(name)) {
    return Operand{.kind = kLength, .offset = offset};
  }
  if (const std::optional<Extension> extension = extension_by_name(name)) {
    const std::uint32_t k = kAncillaryOffset + static_cast<std::uint32_t>(*extension);
    return Operand{.kind = kExtension, .k = k, .offset = offset};
  }
  return scanner.fail_at(
      offset, fmt::format("there is no extension '{}'{}", word, suggest_extension(word)));
}

// A number of k that makes `operand` complete when `close` follows it.
Result<Operand> finish_number(Scanner& scanner, Operand operand, char close) {
  const Result<std::uint32_t> k = scanner.number();
  if (!k) {
    return tl::make_unexpected(k.error());
  }
  operand.k = *k;
  if (const Status closed = scanner.expect(close); !closed) {
    return tl::make_unexpected(closed.error());
  }
  return operand;
}

// After "[x": perhaps "+ k" or "- k", then "]".
Result<Operand> read_indexed(Scanner& scanner, Operand operand) {
  operand.kind = kIndexed;
  if (scanner.take(']')) {
    return operand;
  }
  const bool minus = scanner.take('-');
  if (!minus && !scanner.take('+')) {
    return scanner.fail_at(scanner.offset(),
                           fmt::format("expected '+' or ']', found {}", scanner.describe()));
  }
  Result<Operand> finished = finish_number(scanner, operand, ']');
  if (finished && minus) {
    finished->k = 0U - finished->k;
  }
  return finished;
}

// After "[".
Result<Operand> read_bracketed(Scanner& scanner, Operand operand) {
  const bool percent = scanner.take('%');
  scanner.skip_blanks();
  if (!percent && scanner.at_number()) {
    operand.kind = kAbsolute;
    return finish_number(scanner, operand, ']');
  }
  const std::size_t offset = scanner.offset();
  const std::string_view word = scanner.peek_word();
  if (lower_case(word) == "x") {
    scanner.word();
    return read_indexed(scanner, operand);
  }
  if (word.empty() || percent) {
    return scanner.fail_at(
        offset, fmt::format("expected {}, found {}", percent ? "x" : "k or x", scanner.describe()));
  }
  scanner.word();
  Result<Operand> extension = extension_operand(scanner, word, offset);
  if (!extension) {
    return extension;
  }
  if (const Status closed = scanner.expect(']'); !closed) {
    return tl::make_unexpected(closed.error());
  }
  return extension;
}

// After "4": "*([k]&0xf)".
Result<Operand> read_header_length(Scanner& scanner, const Operand& multiplier) {
  Operand operand{.kind = kHeaderLength, .offset = multiplier.offset};
  for (const char c : {'*', '(', '['}) {
    if (const Status taken = scanner.expect(c); !taken) {
      return tl::make_unexpected(taken.error());
    }
  }
  Result<Operand> address = finish_number(scanner, operand, ']');
  if (!address) {
    return address;
  }
  if (const Status taken = scanner.expect('&'); !taken) {
    return tl::make_unexpected(taken.error());
  }
  Result<Operand> mask = finish_number(scanner, operand, ')');
  if (!mask) {
    return mask;
  }
  if (multiplier.k != 4 || mask->k != 0xf) {
    return scanner.fail_at(operand.offset, "the only load of this kind is 4*([k]&0xf)");
  }
  return address;
}

Result<Operand> read_immediate(Scanner& scanner, Operand operand) {
  scanner.skip_blanks();
  const std::string_view word = scanner.peek_word();
  if (!word.empty() && !scanner.at_number()) {
    const std::size_t offset = scanner.offset();
    scanner.word();
    return extension_operand(scanner, word, offset);
  }
  const Result<std::uint32_t> k = scanner.number();
  if (!k) {
    return tl::make_unexpected(k.error());
  }
  operand.kind = kImmediate;
  operand.k = *k;
  return operand;
}

Result<Operand> read_plain_number(Scanner& scanner, Operand operand) {
  const Result<std::uint32_t> k = scanner.number();
  if (!k) {
    return tl::make_unexpected(k.error());
  }
  operand.kind = kNumber;
  operand.k = *k;
  scanner.skip_blanks();
  return scanner.peek() == '*' ? read_header_length(scanner, operand) : Result<Operand>(operand);
}

// After "m", when "[" follows.
Result<Operand> read_scratch(Scanner& scanner, Operand operand) {
  operand.kind = kScratch;
  Result<Operand> scratch = finish_number(scanner, operand, ']');
  if (scratch && scratch->k >= kScratchWords) {
    return scanner.fail_at(
        operand.offset,
        fmt::format("there is no M[{}]; scratch memory is M[0] to M[15]", scratch->k));
  }
  return scratch;
}

Result<Operand> read_register(Scanner& scanner, Operand operand) {
  const std::string name = lower_case(scanner.word());
  if (name != "x" && name != "a") {
    return scanner.fail_at(operand.offset, "only x and a are registers");
  }
  operand.kind = name == "x" ? kRegisterX : kRegisterA;
  return operand;
}

Result<Operand> read_word(Scanner& scanner, Operand operand) {
  const std::string_view word = scanner.word();
  const std::string name = lower_case(word);
  if (name == "x" || name == "a") {
    operand.kind = name == "x" ? kRegisterX : kRegisterA;
    return operand;
  }
  if (name == "m" && scanner.take('[')) {
    return read_scratch(scanner, operand);
  }
  if (is_length(name) || extension_by_name(name)) {
    return extension_operand(scanner, word, operand.offset);
  }
  operand.kind = kLabel;
  operand.label = word;
  return operand;
}

}  // namespace

std::string_view kind_name(OperandKind kind) {
  switch (kind) {
    case kNone:
      return "nothing";
    case kRegisterX:
      return "x";
    case kRegisterA:
      return "a";
    case kImmediate:
      return "#k";
    case kNumber:
      return "k";
    case kAbsolute:
      return "[k]";
    case kIndexed:
      return "[x + k]";
    case kScratch:
      return "M[k]";
    case kHeaderLength:
      return "4*([k]&0xf)";
    case kLength:
      return "len";
    case kExtension:
      return "an extension";
    case kLabel:
      return "a label";
  }
  return "";
}

Result<Operand> read_operand(Scanner& scanner) {
  scanner.skip_blanks();
  const Operand operand{.offset = scanner.offset()};
  if (scanner.at_end() || scanner.peek() == '\n') {
    return operand;
  }
  if (scanner.take('#')) {
    return read_immediate(scanner, operand);
  }
  if (scanner.take('[')) {
    return read_bracketed(scanner, operand);
  }
  if (scanner.take('%')) {
    return read_register(scanner, operand);
  }
  if (scanner.at_number()) {
    return read_plain_number(scanner, operand);
  }
  if (!scanner.peek_word().empty()) {
    return read_word(scanner, operand);
  }
  return scanner.fail_at(operand.offset,
                         fmt::format("expected an operand, found {}", scanner.describe()));
}

}  // namespace weir::cbpf
