// The listing of `tcpdump -d`, read back.
#include <fmt/format.h>

#include "cbpf/text/grammar.h"
#include "cbpf/text/readers.h"

namespace weir::cbpf {
namespace {

constexpr std::uint32_t kFarthest = 0xff;  // What jt and jf reach.

// "jt 7" or "jf 7": an index, as a distance from the instruction after `index`.
Result<std::uint8_t> read_target(Scanner& scanner, std::string_view name, std::uint32_t index) {
  scanner.skip_blanks();
  const std::size_t start = scanner.offset();
  if (scanner.word() != name) {
    return scanner.fail_at(start,
                           fmt::format("expected '{}' and the number of an instruction", name));
  }
  scanner.skip_blanks();
  const std::size_t number_start = scanner.offset();
  const Result<std::uint32_t> target = scanner.number();
  if (!target) {
    return tl::make_unexpected(target.error());
  }
  const std::uint32_t distance = *target - index - 1;
  if (distance > kFarthest) {
    return scanner.fail_at(number_start, fmt::format("{} reaches from {} to {}, not to {}", name,
                                                     index + 1, index + 1 + kFarthest, *target));
  }
  return static_cast<std::uint8_t>(distance);
}

// What follows the mnemonic, made an instruction at `index`.
Result<Instruction> read_instruction(Scanner& scanner, const std::string& mnemonic,
                                     std::size_t start, std::uint32_t index) {
  Result<Operand> operand = read_operand(scanner);
  if (!operand) {
    return tl::make_unexpected(operand.error());
  }
  // In a listing the target of `ja` is a number, and `ret a` is written without its operand.
  if (mnemonic == "ja" && operand->kind == OperandKind::kNumber) {
    return Instruction{.code = kJmp | kJa, .k = operand->k - index - 1};
  }
  if (mnemonic == "ret" && operand->kind == OperandKind::kNone) {
    operand->kind = OperandKind::kRegisterA;
  }
  const Form* form = find_form(mnemonic, operand->kind);
  if (form == nullptr || form->negated || operand->kind == OperandKind::kLabel) {
    return scanner.fail_at(start,
                           fmt::format("the listing has no '{}' with this operand", mnemonic));
  }
  Instruction instruction{.code = form->code, .k = operand->k};
  if (is_conditional_jump(form->code)) {
    const Result<std::uint8_t> jt = read_target(scanner, "jt", index);
    if (!jt) {
      return tl::make_unexpected(jt.error());
    }
    const Result<std::uint8_t> jf = read_target(scanner, "jf", index);
    if (!jf) {
      return tl::make_unexpected(jf.error());
    }
    instruction.jt = *jt;
    instruction.jf = *jf;
  }
  return instruction;
}

// "(003)", which must be the number of this line's instruction.
Status read_index(Scanner& scanner, std::uint32_t index) {
  const std::size_t start = scanner.offset();
  const bool opened = scanner.take('(');
  const std::string_view digits = opened ? scanner.word() : std::string_view();
  if (!opened || digits != fmt::format("{:03}", index) || !scanner.take(')')) {
    return scanner.fail_at(start, fmt::format("expected instruction ({:03})", index));
  }
  return {};
}

Result<Instruction> read_line(Scanner& scanner, std::uint32_t index) {
  if (const Status numbered = read_index(scanner, index); !numbered) {
    return tl::make_unexpected(numbered.error());
  }
  scanner.skip_blanks();
  const std::size_t start = scanner.offset();
  const std::string mnemonic(scanner.word());
  if (mnemonic == "unimp") {
    return scanner.fail_at(start, "an unknown instruction cannot be read back from a listing");
  }
  if (!is_mnemonic(mnemonic)) {
    return scanner.fail_at(
        start, fmt::format("unknown mnemonic '{}'{}", mnemonic, suggest_mnemonic(mnemonic)));
  }
  Result<Instruction> instruction = read_instruction(scanner, mnemonic, start, index);
  scanner.skip_blanks();
  if (instruction && !scanner.at_end() && scanner.peek() != '\n') {
    return scanner.fail_at(scanner.offset(),
                           fmt::format("unexpected {} after the instruction", scanner.describe()));
  }
  return instruction;
}

}  // namespace

Result<Program> read_listing(std::string_view text) {
  Scanner scanner(text);
  Program program;
  scanner.skip_space();
  while (!scanner.at_end()) {
    const auto index = static_cast<std::uint32_t>(program.instructions.size());
    const Result<Instruction> instruction = read_line(scanner, index);
    if (!instruction) {
      return tl::make_unexpected(instruction.error());
    }
    program.instructions.push_back(*instruction);
    scanner.skip_space();
  }
  if (program.instructions.empty()) {
    return scanner.fail_at(0, "the program has no instructions");
  }
  return program;
}

}  // namespace weir::cbpf
