#include "cbpf/text/assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <unordered_map>

#include "cbpf/text/grammar.h"
#include "cbpf/text/scanner.h"

namespace weir::cbpf {
namespace {

constexpr std::int64_t kReach = 255;  // How many instructions a conditional jump can skip.

struct WithoutComments {
  std::string text;             // Comments are blanks, so that every other byte keeps its place.
  std::size_t unclosed = npos;  // Where a comment opens that is not closed.
  static constexpr std::size_t npos = std::string_view::npos;
};

WithoutComments without_comments(std::string_view text) {
  WithoutComments result{std::string(text)};
  bool line_is_blank = true;
  std::size_t i = 0;
  while (i < text.size()) {
    const bool block = text.substr(i, 2) == "/*";
    const bool to_line_end = text[i] == ';' || (text[i] == '#' && line_is_blank);
    std::size_t end = i + 1;
    if (block) {
      const std::size_t closing = text.find("*/", i + 2);
      result.unclosed = closing == WithoutComments::npos ? i : result.unclosed;
      end = closing == WithoutComments::npos ? text.size() : closing + 2;
    } else if (to_line_end) {
      end = std::min(text.find('\n', i), text.size());
    } else if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') {
      line_is_blank = text[i] == '\n';
    }
    for (; i < end; ++i) {
      if ((block || to_line_end) && text[i] != '\n') {
        result.text[i] = ' ';
      }
    }
  }
  return result;
}

struct Label {
  std::uint32_t index = 0;  // Of the instruction it stands before.
  std::size_t offset = 0;
};

// A label used by the instruction at `index`, to be filled in when all labels are known.
struct Reference {
  enum class Field : std::uint8_t { kK, kJt, kJf };
  std::uint32_t index = 0;
  Field field = Field::kK;
  std::string_view mnemonic;
  std::string_view label;
  std::size_t offset = 0;
};

// The operands that a mnemonic takes, for an error sentence: "#k, x or M[k]".
std::string operands_of(std::string_view mnemonic) {
  std::vector<std::string_view> names;
  for (const Form& form : forms()) {
    if (form.mnemonic == mnemonic) {
      names.push_back(kind_name(form.operand));
    }
  }
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view separator = i == 0 ? "" : i + 1 < names.size() ? ", " : " or ";
    list += fmt::format("{}{}", separator, names[i]);
  }
  return list;
}

// Reads the whole text once, line by line; then links. After a mistake it goes on with the next
// line, and an instruction that could not be read still takes its place in the program, so that the
// distances of the jumps over it are right.
class Assembler {
 public:
  // Both must outlive it.
  Assembler(const WithoutComments& source, std::string_view text) : scanner_(source.text, text) {
    if (source.unclosed != WithoutComments::npos) {
      report(scanner_.fail_at(source.unclosed, "the comment is not closed"));
    }
  }

  tl::expected<Program, std::vector<Error>> run() {
    scanner_.skip_space();
    while (!scanner_.at_end() && !full()) {
      read_statement();
      scanner_.skip_space();
    }
    if (!full()) {
      finish();
    }
    if (errors_.empty()) {
      return std::move(program_);
    }
    std::stable_sort(errors_.begin(), errors_.end(), [](const Error& a, const Error& b) {
      return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
    });
    errors_.resize(std::min(errors_.size(), kMaxAssemblyErrors));
    return tl::make_unexpected(std::move(errors_));
  }

 private:
  bool full() const { return errors_.size() >= kMaxAssemblyErrors; }
  void report(const tl::unexpected<Error>& error) { errors_.push_back(error.value()); }
  std::uint32_t next_index() const {
    return static_cast<std::uint32_t>(program_.instructions.size());
  }

  // A label definition, or an instruction to the end of its line.
  void read_statement() {
    const std::size_t start = scanner_.offset();
    const std::string_view word = scanner_.word();
    if (!word.empty() && scanner_.take(':')) {
      define(word, start);
      return;
    }
    loose_label_ = {};
    const Result<Instruction> instruction = read_line(word, start);
    if (!instruction) {
      errors_.push_back(instruction.error());
    }
    program_.instructions.push_back(instruction.value_or(Instruction{}));
    scanner_.skip_line();
  }

  void define(std::string_view name, std::size_t offset) {
    if (const Status named = check_label(name, offset); !named) {
      errors_.push_back(named.error());
    }
    const auto [known, is_new] = labels_.try_emplace(name, Label{next_index(), offset});
    if (!is_new) {
      report(
          scanner_.fail_at(offset, fmt::format("the label '{}' is already defined on line {}", name,
                                               scanner_.place_of(known->second.offset).line)));
    }
    loose_label_ = name;
    loose_offset_ = offset;
  }

  Status check_label(std::string_view name, std::size_t offset) const {
    if (name.empty() || (name[0] >= '0' && name[0] <= '9')) {
      const std::string found = name.empty() ? scanner_.describe() : fmt::format("'{}'", name);
      return scanner_.fail_at(offset, fmt::format("expected a label, found {}", found));
    }
    if (is_reserved(name)) {
      return scanner_.fail_at(
          offset, fmt::format("'{}' is a word of the language and cannot be a label", name));
    }
    return {};
  }

  Result<Instruction> read_line(std::string_view word, std::size_t start) {
    Result<Instruction> instruction = read_instruction(word, start);
    scanner_.skip_blanks();
    if (instruction && !scanner_.at_end() && scanner_.peek() != '\n') {
      return scanner_.fail_at(scanner_.offset(), fmt::format("unexpected {} after the instruction",
                                                             scanner_.describe()));
    }
    return instruction;
  }

  Result<Instruction> read_instruction(std::string_view word, std::size_t start) {
    if (word.empty()) {
      return read_raw(start);
    }
    const std::string mnemonic = lower_case(word);
    if (!is_mnemonic(mnemonic)) {
      return scanner_.fail_at(start,
                              fmt::format("unknown mnemonic '{}'{}", word, suggest_mnemonic(word)));
    }
    scanner_.skip_blanks();
    const bool ends = scanner_.at_end() || scanner_.peek() == '\n';
    if (!ends && find_form(mnemonic, OperandKind::kNone) != nullptr) {
      return scanner_.fail_at(scanner_.offset(), fmt::format("'{}' takes no operand", mnemonic));
    }
    const Result<Operand> operand = read_operand(scanner_);
    if (!operand) {
      return tl::make_unexpected(operand.error());
    }
    const Form* form = find_form(mnemonic, operand->kind);
    if (form == nullptr) {
      return wrong_operand(mnemonic, *operand);
    }
    const Instruction instruction{.code = form->code, .k = operand->k};
    if (operand->kind == OperandKind::kLabel) {
      return refer(*form, Reference::Field::kK, operand->label, operand->offset)
          .map([&instruction] { return instruction; });
    }
    if (is_conditional_jump(form->code)) {
      return read_targets(*form).map([&instruction] { return instruction; });
    }
    return instruction;
  }

  tl::unexpected<Error> wrong_operand(const std::string& mnemonic, const Operand& operand) const {
    const std::string operands = operands_of(mnemonic);
    if (operand.kind == OperandKind::kNone) {
      return scanner_.fail_at(operand.offset, fmt::format("'{}' needs {}", mnemonic, operands));
    }
    if (operand.kind == OperandKind::kLabel &&
        find_form(mnemonic, OperandKind::kExtension) != nullptr) {
      return scanner_.fail_at(operand.offset,
                              fmt::format("there is no extension '{}'{}", operand.label,
                                          suggest_extension(operand.label)));
    }
    return scanner_.fail_at(operand.offset, fmt::format("'{}' takes {}, not {}", mnemonic, operands,
                                                        kind_name(operand.kind)));
  }

  // ", Lt" or ", Lt, Lf" after a conditional jump's operand; ", Lf" after a negated one's.
  Status read_targets(const Form& form) {
    if (!scanner_.take(',')) {
      return scanner_.fail_at(scanner_.offset(), fmt::format("'{}' needs ',' and a label, found {}",
                                                             form.mnemonic, scanner_.describe()));
    }
    Status first = read_target(form, form.negated ? Reference::Field::kJf : Reference::Field::kJt);
    scanner_.skip_blanks();
    const std::size_t comma = scanner_.offset();
    if (!first || !scanner_.take(',')) {
      return first;
    }
    if (form.negated) {
      return scanner_.fail_at(comma, fmt::format("'{}' takes one label", form.mnemonic));
    }
    return read_target(form, Reference::Field::kJf);
  }

  Status read_target(const Form& form, Reference::Field field) {
    scanner_.skip_blanks();
    const std::size_t offset = scanner_.offset();
    return refer(form, field, scanner_.word(), offset);
  }

  Status refer(const Form& form, Reference::Field field, std::string_view label,
               std::size_t offset) {
    Status named = check_label(label, offset);
    if (named) {
      references_.push_back({next_index(), field, form.mnemonic, label, offset});
    }
    return named;
  }

  // ".insn CODE, JT, JF, K"
  Result<Instruction> read_raw(std::size_t start) {
    if (!scanner_.take('.') || lower_case(scanner_.peek_word()) != "insn") {
      return scanner_.fail_at(
          start, fmt::format("expected a label or an instruction, found {}", scanner_.describe()));
    }
    scanner_.word();
    constexpr std::uint32_t kLimits[] = {0xffff, 0xff, 0xff, 0xffffffff};
    std::uint32_t fields[4] = {};
    for (std::size_t i = 0; i < 4; ++i) {
      if (i != 0) {
        if (const Status comma = scanner_.expect(','); !comma) {
          return tl::make_unexpected(comma.error());
        }
      }
      scanner_.skip_blanks();
      const std::size_t offset = scanner_.offset();
      const Result<std::uint32_t> number = scanner_.number();
      if (!number) {
        return tl::make_unexpected(number.error());
      }
      if (*number > kLimits[i]) {
        return scanner_.fail_at(offset, fmt::format("this field is at most {}", kLimits[i]));
      }
      fields[i] = *number;
    }
    return Instruction{static_cast<std::uint16_t>(fields[0]), static_cast<std::uint8_t>(fields[1]),
                       static_cast<std::uint8_t>(fields[2]), fields[3]};
  }

  // What can only be told at the end.
  void finish() {
    if (program_.instructions.empty() && errors_.empty()) {
      report(scanner_.fail_at(0, "there is no instruction in the text"));
    } else if (!loose_label_.empty()) {
      report(scanner_.fail_at(loose_offset_,
                              fmt::format("no instruction follows the label '{}'", loose_label_)));
    }
    for (const Reference& reference : references_) {
      if (full()) {
        return;
      }
      if (const Status linked = link(reference); !linked) {
        errors_.push_back(linked.error());
      }
    }
  }

  Status link(const Reference& reference) {
    const auto label = labels_.find(reference.label);
    if (label == labels_.end()) {
      return scanner_.fail_at(reference.offset,
                              fmt::format("the label '{}' is not defined", reference.label));
    }
    Instruction& instruction = program_.instructions[reference.index];
    const std::int64_t distance = std::int64_t{label->second.index} - reference.index - 1;
    if (reference.field == Reference::Field::kK) {
      instruction.k = static_cast<std::uint32_t>(distance);  // Backward: modulo 2^32.
      return {};
    }
    if (distance < 0) {
      return scanner_.fail_at(reference.offset,
                              fmt::format("'{}' cannot jump backward to '{}'; only 'ja' can",
                                          reference.mnemonic, reference.label));
    }
    if (distance > kReach) {
      return scanner_.fail_at(
          reference.offset,
          fmt::format("'{}' is too far: '{}' can skip {} instructions, and {} lie between",
                      reference.label, reference.mnemonic, kReach, distance));
    }
    (reference.field == Reference::Field::kJt ? instruction.jt : instruction.jf) =
        static_cast<std::uint8_t>(distance);
    return {};
  }

  Scanner scanner_;
  Program program_;
  std::vector<Error> errors_;
  std::unordered_map<std::string_view, Label> labels_;
  std::vector<Reference> references_;
  std::string_view loose_label_;  // The last label, while no instruction has followed it.
  std::size_t loose_offset_ = 0;
};

}  // namespace

tl::expected<Program, std::vector<Error>> assemble(std::string_view text) {
  const WithoutComments source = without_comments(text);
  return Assembler(source, text).run();
}

}  // namespace weir::cbpf
