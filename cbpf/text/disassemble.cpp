#include "cbpf/text/disassemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "cbpf/text/grammar.h"

namespace weir::cbpf {
namespace {

bool is_jump_always(std::uint16_t code) { return code == (kJmp | kJa); }

// The extension that this instruction loads, if it is an absolute load of one.
std::optional<Extension> extension_of(const Form& form, const Instruction& instruction) {
  return form.operand == OperandKind::kAbsolute ? extension_at(instruction.k) : std::nullopt;
}

// ---- the assembler's language ----

// Whether the operand shows k, so that reading it back restores it.
bool shows_k(OperandKind kind) {
  switch (kind) {
    case OperandKind::kImmediate:
    case OperandKind::kAbsolute:
    case OperandKind::kIndexed:
    case OperandKind::kScratch:
    case OperandKind::kHeaderLength:
    case OperandKind::kLabel:
      return true;
    case OperandKind::kNone:
    case OperandKind::kRegisterX:
    case OperandKind::kRegisterA:
    case OperandKind::kNumber:
    case OperandKind::kLength:
    case OperandKind::kExtension:
      return false;
  }
  return false;
}

// The targets of the instruction at `index` that are inside a program of `count`; nothing when one
// is outside, or the instruction does not jump.
struct Targets {
  std::uint32_t taken = 0;
  std::uint32_t not_taken = 0;  // Of a `ja`: the same.
};
std::optional<Targets> targets_of(const Instruction& instruction, std::uint32_t index,
                                  std::size_t count) {
  Targets targets;
  if (is_jump_always(instruction.code)) {
    targets.taken = index + 1 + instruction.k;  // A backward jump is a k near 2^32; it wraps.
    targets.not_taken = targets.taken;
  } else if (is_conditional_jump(instruction.code)) {
    targets = {index + 1 + instruction.jt, index + 1 + instruction.jf};
  } else {
    return std::nullopt;
  }
  const bool inside = targets.taken < count && targets.not_taken < count;
  return inside ? std::optional<Targets>(targets) : std::nullopt;
}

// Whether the language has words for every field of the instruction.
bool has_words(const Instruction& instruction, std::uint32_t index, std::size_t count) {
  const Form* form = find_form(instruction.code);
  if (form == nullptr || (!shows_k(form->operand) && instruction.k != 0)) {
    return false;
  }
  if (form->operand == OperandKind::kScratch && instruction.k >= kScratchWords) {
    return false;
  }
  const bool conditional = is_conditional_jump(instruction.code);
  if (!conditional && (instruction.jt != 0 || instruction.jf != 0)) {
    return false;
  }
  const bool jumps = conditional || is_jump_always(instruction.code);
  return !jumps || targets_of(instruction, index, count).has_value();
}

std::string label(std::uint32_t index) { return fmt::format("l{}", index); }

// How a conditional jump is written: with the fewest labels that say it.
struct Spelling {
  const Form* form = nullptr;
  bool shows_taken = false;
  bool shows_not_taken = false;
};
Spelling spelling_of(const Form& form, const Instruction& instruction) {
  const Form* negated = find_negated_form(instruction.code);
  if (instruction.jf == 0) {
    return {&form, true, false};
  }
  const bool negates = instruction.jt == 0 && negated != nullptr;
  return negates ? Spelling{negated, false, true} : Spelling{&form, true, true};
}

std::string conditional_text(const Form& form, const Instruction& instruction,
                             const Targets& targets) {
  const Spelling spelling = spelling_of(form, instruction);
  std::string text =
      fmt::format("{} {}", spelling.form->mnemonic, operand_text(form, instruction.k));
  if (spelling.shows_taken) {
    text += ", " + label(targets.taken);
  }
  if (spelling.shows_not_taken) {
    text += ", " + label(targets.not_taken);
  }
  return text;
}

// The escape, with a comment that says what it is when the machine knows the code.
std::string raw_text(const Instruction& instruction) {
  std::string raw = fmt::format(".insn {:#x}, {}, {}, {:#x}", instruction.code, instruction.jt,
                                instruction.jf, instruction.k);
  const Form* form = find_form(instruction.code);
  if (form == nullptr) {
    return raw;
  }
  const std::string operand = operand_text(*form, instruction.k);
  return fmt::format("{}  ; {}{}{}", raw, form->mnemonic, operand.empty() ? "" : " ", operand);
}

std::string assembly_text(const Instruction& instruction, std::uint32_t index, std::size_t count) {
  if (!has_words(instruction, index, count)) {
    return raw_text(instruction);
  }
  const Form& form = *find_form(instruction.code);
  if (const std::optional<Targets> targets = targets_of(instruction, index, count)) {
    return is_jump_always(instruction.code)
               ? fmt::format("{} {}", form.mnemonic, label(targets->taken))
               : conditional_text(form, instruction, *targets);
  }
  if (const std::optional<Extension> extension = extension_of(form, instruction)) {
    return fmt::format("{} {}", form.mnemonic, extension_name(*extension));
  }
  if (form.operand == OperandKind::kNone) {
    return std::string(form.mnemonic);
  }
  const bool length = form.operand == OperandKind::kLength;
  return fmt::format("{} {}", form.mnemonic, length ? "len" : operand_text(form, instruction.k));
}

// Which instructions a written label names.
std::vector<bool> shown_targets(const std::vector<Instruction>& code) {
  const auto count = static_cast<std::uint32_t>(code.size());
  std::vector<bool> shown(count, false);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::optional<Targets> targets = targets_of(code[i], i, count);
    if (!targets || !has_words(code[i], i, count)) {
      continue;
    }
    const Form& form = *find_form(code[i].code);
    const bool always = is_jump_always(code[i].code);
    const Spelling spelling = always ? Spelling{&form, true, false} : spelling_of(form, code[i]);
    shown[targets->taken] = shown[targets->taken] || spelling.shows_taken;
    shown[targets->not_taken] = shown[targets->not_taken] || spelling.shows_not_taken;
  }
  return shown;
}

// ---- libpcap's listing ----

// libpcap's own words for two of the extensions.
std::string_view listing_name(Extension extension) {
  if (extension == Extension::kVlanAvail) {
    return "vlanp";
  }
  return extension == Extension::kRandom ? "random" : extension_name(extension);
}

std::string listing_operand(const Form& form, const Instruction& instruction, std::uint32_t index) {
  if (is_jump_always(instruction.code)) {
    return fmt::format("{}", static_cast<std::int32_t>(index + 1 + instruction.k));
  }
  if (const std::optional<Extension> extension = extension_of(form, instruction)) {
    return fmt::format("[{}]", listing_name(*extension));
  }
  if (form.operand == OperandKind::kLength) {
    return "#pktlen";
  }
  // `ret a` stands there as a bare "ret".
  const bool bare = form.operand == OperandKind::kRegisterA;
  return bare ? "" : operand_text(form, instruction.k);
}

}  // namespace

std::string disassemble(const Program& program) {
  const std::vector<Instruction>& code = program.instructions;
  const auto count = static_cast<std::uint32_t>(code.size());
  const std::vector<bool> labelled = shown_targets(code);
  // The column of the instructions: past the longest label there could be.
  const std::size_t width = label(count).size() + 2;
  std::string text;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string mark = labelled[i] ? label(i) + ":" : "";
    text += fmt::format("{:<{}}{}\n", mark, width, assembly_text(code[i], i, count));
  }
  return text;
}

std::string listing_line(const Instruction& instruction, std::uint32_t index) {
  // `ldx len` is an instruction of the machine, but libpcap has no words for it.
  const bool nameless = instruction.code == (kLdx | kW | kLen);
  const Form* form = nameless ? nullptr : find_form(instruction.code);
  const std::string_view mnemonic = form == nullptr ? "unimp" : form->mnemonic;
  const std::string operand = form == nullptr ? fmt::format("{:#x}", instruction.code)
                                              : listing_operand(*form, instruction, index);
  if (!is_conditional_jump(instruction.code)) {
    return fmt::format("({:03}) {:<8} {}", index, mnemonic, operand);
  }
  return fmt::format("({:03}) {:<8} {:<16} jt {}\tjf {}", index, mnemonic, operand,
                     index + 1 + instruction.jt, index + 1 + instruction.jf);
}

}  // namespace weir::cbpf
