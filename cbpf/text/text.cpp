#include "cbpf/text/text.h"

#include <fmt/format.h>

#include "cbpf/text/disassemble.h"
#include "cbpf/text/readers.h"
#include "cbpf/text/scanner.h"

namespace weir::cbpf {
namespace {

std::string fields(const Instruction& i) {
  return fmt::format("{} {} {} {}", i.code, i.jt, i.jf, i.k);
}

std::string to_listing(const Program& program) {
  std::string text;
  std::uint32_t index = 0;
  for (const Instruction& instruction : program.instructions) {
    text += listing_line(instruction, index++) + "\n";
  }
  return text;
}

std::string to_c_array(const Program& program) {
  std::string text;
  for (const Instruction& i : program.instructions) {
    text += fmt::format("{{ {:#x}, {}, {}, 0x{:08x} }},\n", i.code, i.jt, i.jf, i.k);
  }
  return text;
}

std::string to_decimal(const Program& program) {
  std::string text = fmt::format("{}\n", program.instructions.size());
  for (const Instruction& instruction : program.instructions) {
    text += fields(instruction) + "\n";
  }
  return text;
}

std::string to_xt_bpf(const Program& program) {
  std::string text = fmt::format("{}", program.instructions.size());
  for (const Instruction& instruction : program.instructions) {
    text += "," + fields(instruction);
  }
  return text + "\n";
}

std::string to_json(const Program& program) {
  std::string text;
  for (const Instruction& i : program.instructions) {
    text += fmt::format("{}[{},{},{},{}]", text.empty() ? "" : ",", i.code, i.jt, i.jf, i.k);
  }
  return "[" + text + "]\n";
}

bool is_letter(char c) { return is_word_character(c) && (c < '0' || c > '9'); }

}  // namespace

std::string_view text_form_name(TextForm form) {
  switch (form) {
    case TextForm::kListing:
      return "tcpdump -d";
    case TextForm::kCArray:
      return "tcpdump -dd";
    case TextForm::kDecimal:
      return "tcpdump -ddd";
    case TextForm::kXtBpf:
      return "xt_bpf";
    case TextForm::kJson:
      return "JSON";
  }
  return "";
}

std::string to_text(const Program& program, TextForm form) {
  switch (form) {
    case TextForm::kListing:
      return to_listing(program);
    case TextForm::kCArray:
      return to_c_array(program);
    case TextForm::kDecimal:
      return to_decimal(program);
    case TextForm::kXtBpf:
      return to_xt_bpf(program);
    case TextForm::kJson:
      return to_json(program);
  }
  return "";
}

Result<Program> from_text(std::string_view text, TextForm form) {
  switch (form) {
    case TextForm::kListing:
      return read_listing(text);
    case TextForm::kCArray:
      return read_c_array(text);
    case TextForm::kDecimal:
      return read_decimal(text);
    case TextForm::kXtBpf:
      return read_xt_bpf(text);
    case TextForm::kJson:
      return read_json(text);
  }
  return fail(ErrorCode::kUsage, "there is no such text form");
}

Result<TextForm> detect_text_form(std::string_view text) {
  Scanner scanner(text);
  scanner.skip_space();
  const std::size_t start = scanner.offset();
  const char first = scanner.peek();
  const bool declares = text.find('=') != std::string_view::npos;
  if (first == '(') {
    return TextForm::kListing;
  }
  if (first == '[') {
    return TextForm::kJson;
  }
  if (first == '{') {
    scanner.advance();
    scanner.skip_space();
    return scanner.peek() == '"' || scanner.peek() == '}' ? TextForm::kJson : TextForm::kCArray;
  }
  if (first == '/' || (is_letter(first) && declares)) {
    return TextForm::kCArray;
  }
  if (first >= '0' && first <= '9') {
    scanner.word();
    return scanner.take(',') ? TextForm::kXtBpf : TextForm::kDecimal;
  }
  if (scanner.at_end()) {
    return scanner.fail_at(start, "there is no program in the text");
  }
  return scanner.fail_at(start, fmt::format("{} begins none of the bytecode forms: tcpdump -d, "
                                            "-dd, -ddd, xt_bpf or JSON",
                                            scanner.describe()));
}

Result<Program> read_program(std::string_view text) {
  return detect_text_form(text).and_then([text](TextForm form) { return from_text(text, form); });
}

}  // namespace weir::cbpf
