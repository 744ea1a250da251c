#include "xdp/kernel/verifier_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace weir::xdp {
namespace {

constexpr std::uint32_t kNone = 0xffffffff;
constexpr std::size_t kTraceLines = 5;  // Instructions shown before the refusal.

std::optional<std::uint32_t> number_at(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) {
    return std::nullopt;
  }
  return value;
}

// The slot of a line of the trace: "12: (71) r0 = *(u8 *)(r2 +0)".
std::optional<std::uint32_t> traced_slot(std::string_view line) {
  const std::size_t digits = line.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos ||
      line.substr(digits).substr(0, 3) != ": (") {
    return std::nullopt;
  }
  return number_at(line);
}

// "12: R1=ctx() R10=fp0", "from 5 to 9: R0=…".
bool is_state(std::string_view line) {
  if (line.starts_with("from ") && line.find(": ") != std::string_view::npos) {
    return true;
  }
  const std::size_t digits = line.find_first_not_of("0123456789");
  return digits != 0 && digits != std::string_view::npos && line.substr(digits).starts_with(": ");
}

bool is_statistic(std::string_view line) {
  constexpr std::array<std::string_view, 8> kBeginnings = {
      "processed ", "verification time ", "stack depth ", "func#", "last_idx ", "parent ",
      "regs=",      "mark_precise:"};
  return std::any_of(kBeginnings.begin(), kBeginnings.end(),
                     [&](std::string_view beginning) { return line.starts_with(beginning); });
}

std::vector<std::string_view> split_lines(std::string_view log) {
  std::vector<std::string_view> lines;
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    if (end != 0) {
      lines.push_back(log.substr(0, end));
    }
    log.remove_prefix(std::min(end + 1, log.size()));
  }
  return lines;
}

std::string with_origin(std::string_view line, std::optional<std::uint32_t> slot,
                        std::span<const std::uint32_t> origin_of_slot) {
  if (!slot || *slot >= origin_of_slot.size() || origin_of_slot[*slot] == kNone) {
    return std::string(line);
  }
  return fmt::format("{}  [classic instruction {}]", line, origin_of_slot[*slot]);
}

// "unreachable insn 7", "back-edge from insn 9 to 4": refused before any instruction is traced.
std::optional<std::uint32_t> named_slot(std::string_view line) {
  const std::size_t at = line.find("insn ");
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  return number_at(line.substr(at + 5));
}

std::uint32_t number_after(std::string_view log, std::string_view word) {
  const std::size_t at = log.rfind(word);
  if (at == std::string_view::npos) {
    return 0;
  }
  return number_at(log.substr(at + word.size())).value_or(0);
}

}  // namespace

std::vector<std::uint32_t> slot_origins(std::span<const ebpf::Instruction> instructions,
                                        std::span<const std::uint32_t> origins) {
  std::vector<std::uint32_t> by_slot;
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    by_slot.insert(by_slot.end(), ebpf::slots(instructions[i]),
                   i < origins.size() ? origins[i] : kNone);
  }
  return by_slot;
}

Refusal read_refusal(std::string_view log, std::span<const std::uint32_t> origin_of_slot) {
  Refusal refusal;
  std::vector<std::string> trace;
  std::vector<std::string> telling;
  for (const std::string_view line : split_lines(log)) {
    if (const auto slot = traced_slot(line)) {
      trace.push_back(with_origin(line, slot, origin_of_slot));
      // What was said of an earlier instruction was no refusal.
      telling.clear();
    } else if (!is_state(line) && !is_statistic(line)) {
      telling.push_back(with_origin(line, named_slot(line), origin_of_slot));
      refusal.sentence = line;
    }
  }
  if (telling.empty()) {
    refusal.sentence.clear();
  }
  const std::size_t first = trace.size() > kTraceLines ? trace.size() - kTraceLines : 0;
  for (std::size_t i = first; i < trace.size(); ++i) {
    refusal.detail += trace[i] + "\n";
  }
  for (const std::string& line : telling) {
    refusal.detail += line + "\n";
  }
  if (!refusal.detail.empty()) {
    refusal.detail.pop_back();
  }
  return refusal;
}

VerifierStatistics read_statistics(std::string_view log) {
  return {.processed_instructions = number_after(log, "processed "),
          .peak_states = number_after(log, "peak_states "),
          .stack_depth = number_after(log, "stack depth ")};
}

}  // namespace weir::xdp
