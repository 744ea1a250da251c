// The forms that are numbers with something between them: -dd, -ddd and xt_bpf.
#include <fmt/format.h>

#include <string>

#include "cbpf/text/readers.h"
#include "cbpf/text/scanner.h"

namespace weir::cbpf {
namespace {

using NumberRule = Result<std::uint32_t> (*)(Scanner&);

Result<std::uint32_t> any_number(Scanner& scanner) { return scanner.number(); }

// A number without sign, base or leading zeros, as %u prints it: what reads "010" as ten and what
// reads it as eight shall not differ here.
Result<std::uint32_t> plain_number(Scanner& scanner) {
  scanner.skip_blanks();
  const std::size_t start = scanner.offset();
  const std::string_view word = scanner.peek_word();
  const bool sign = scanner.peek() == '-' || scanner.peek() == '+';
  if (sign || (word.size() > 1 && word[0] == '0')) {
    return scanner.fail_at(
        start, fmt::format("expected a plain decimal number, found {}", scanner.describe()));
  }
  return scanner.number();
}

// One field, of at most `limit`.
Result<std::uint32_t> read_field(Scanner& scanner, NumberRule rule, std::string_view name,
                                 std::uint32_t limit) {
  scanner.skip_space();
  const std::size_t start = scanner.offset();
  Result<std::uint32_t> value = rule(scanner);
  if (value && *value > limit) {
    return scanner.fail_at(start, fmt::format("{} is at most {}", name, limit));
  }
  return value;
}

// The four fields, with `separator` between them if it is not a blank.
Result<Instruction> read_fields(Scanner& scanner, NumberRule rule, char separator) {
  struct Field {
    std::string_view name;
    std::uint32_t limit;
  };
  constexpr Field kFields[] = {{"the code", 0xffff}, {"jt", 0xff}, {"jf", 0xff}, {"k", 0xffffffff}};
  std::uint32_t values[4] = {};
  for (std::size_t i = 0; i < 4; ++i) {
    if (i != 0 && separator != ' ') {
      scanner.skip_space();
      if (const Status separated = scanner.expect(separator); !separated) {
        return tl::make_unexpected(separated.error());
      }
    }
    const Result<std::uint32_t> value =
        read_field(scanner, rule, kFields[i].name, kFields[i].limit);
    if (!value) {
      return tl::make_unexpected(value.error());
    }
    values[i] = *value;
  }
  return Instruction{static_cast<std::uint16_t>(values[0]), static_cast<std::uint8_t>(values[1]),
                     static_cast<std::uint8_t>(values[2]), values[3]};
}

tl::unexpected<Error> fail_count(const Scanner& scanner, std::uint32_t said, std::size_t found) {
  return scanner.fail_at(
      scanner.offset(),
      fmt::format("the count is {}, but the text ends after instruction {}", said, found));
}

// A count and as many instructions. `separator` stands before each; after the last one, too, if it
// likes.
Result<Program> read_counted(std::string_view text, char separator) {
  Scanner scanner(text);
  const Result<std::uint32_t> count = read_field(scanner, plain_number, "the count", 0xffffffff);
  if (!count) {
    return tl::make_unexpected(count.error());
  }
  if (*count == 0) {
    return scanner.fail_at(0, "the program has no instructions");
  }
  const auto skip_separator = [&scanner, separator]() -> Status {
    scanner.skip_space();
    return separator == ' ' || scanner.at_end() ? Status() : scanner.expect(separator);
  };
  Program program;
  while (program.instructions.size() < *count) {
    if (const Status separated = skip_separator(); !separated) {
      return tl::make_unexpected(separated.error());
    }
    scanner.skip_space();
    if (scanner.at_end()) {
      return fail_count(scanner, *count, program.instructions.size());
    }
    const Result<Instruction> instruction = read_fields(scanner, plain_number, ' ');
    if (!instruction) {
      return tl::make_unexpected(instruction.error());
    }
    program.instructions.push_back(*instruction);
  }
  scanner.skip_space();
  if (separator != ' ' && scanner.take(separator)) {
    scanner.skip_space();
  }
  if (!scanner.at_end()) {
    return scanner.fail_at(scanner.offset(), fmt::format("the count is {}, but {} follows", *count,
                                                         scanner.describe()));
  }
  return program;
}

// Overwrites C comments with blanks, so that every other byte keeps its place.
Result<std::string> without_comments(std::string_view text) {
  std::string blanked(text);
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const std::string_view opening = text.substr(i, 2);
    if (opening != "/*" && opening != "//") {
      continue;
    }
    const bool block = opening == "/*";
    const std::size_t closing = block ? text.find("*/", i + 2) : text.find('\n', i);
    if (block && closing == std::string_view::npos) {
      return Scanner(text).fail_at(i, "the comment is not closed");
    }
    const std::size_t end =
        closing == std::string_view::npos ? text.size() : closing + (block ? 2 : 0);
    for (; i < end; ++i) {
      blanked[i] = text[i] == '\n' ? '\n' : ' ';
    }
    --i;
  }
  return blanked;
}

// Takes what comes before the first instruction and tells whether it opened a brace around all of
// them: a declaration up to its '=' and '{', or a lone '{'. The first instruction's own brace
// stays.
Result<bool> open_array(Scanner& scanner) {
  scanner.skip_space();
  const bool declared = scanner.peek() != '{';
  while (declared && !scanner.at_end() && scanner.peek() != '=') {
    scanner.advance();
  }
  if (declared) {
    if (const Status equals = scanner.expect('='); !equals) {
      return tl::make_unexpected(equals.error());
    }
    scanner.skip_space();
  }
  Scanner ahead = scanner;
  if (const Status brace = ahead.expect('{'); !brace) {
    return tl::make_unexpected(brace.error());
  }
  ahead.skip_space();
  const bool wrapped = declared || ahead.peek() == '{';
  if (wrapped) {
    scanner = ahead;
  }
  return wrapped;
}

Result<Instruction> read_braced(Scanner& scanner) {
  if (const Status opened = scanner.expect('{'); !opened) {
    return tl::make_unexpected(opened.error());
  }
  Result<Instruction> instruction = read_fields(scanner, any_number, ',');
  if (!instruction) {
    return instruction;
  }
  scanner.skip_space();
  if (const Status closed = scanner.expect('}'); !closed) {
    return tl::make_unexpected(closed.error());
  }
  return instruction;
}

// After the last instruction: the brace that open_array() took, and no more.
Status close_array(Scanner& scanner, bool wrapped) {
  if (wrapped) {
    if (Status closed = scanner.expect('}'); !closed) {
      return closed;
    }
    scanner.skip_space();
    scanner.take(';');
    scanner.skip_space();
  }
  if (!scanner.at_end()) {
    return scanner.fail_at(scanner.offset(),
                           fmt::format("unexpected {} after the array", scanner.describe()));
  }
  return {};
}

}  // namespace

Result<Program> read_decimal(std::string_view text) { return read_counted(text, ' '); }

Result<Program> read_xt_bpf(std::string_view text) { return read_counted(text, ','); }

Result<Program> read_c_array(std::string_view text) {
  const Result<std::string> code = without_comments(text);
  if (!code) {
    return tl::make_unexpected(code.error());
  }
  Scanner scanner(*code, text);
  const Result<bool> wrapped = open_array(scanner);
  if (!wrapped) {
    return tl::make_unexpected(wrapped.error());
  }
  Program program;
  bool more = true;
  while (more) {
    scanner.skip_space();
    const Result<Instruction> instruction = read_braced(scanner);
    if (!instruction) {
      return tl::make_unexpected(instruction.error());
    }
    program.instructions.push_back(*instruction);
    scanner.skip_space();
    const bool comma = scanner.take(',');
    scanner.skip_space();
    more = comma && scanner.peek() == '{';
  }
  if (const Status closed = close_array(scanner, *wrapped); !closed) {
    return tl::make_unexpected(closed.error());
  }
  return program;
}

}  // namespace weir::cbpf
