// The JSON form.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "cbpf/text/readers.h"
#include "cbpf/text/scanner.h"

namespace weir::cbpf {
namespace {

using nlohmann::json;

// What the field holds, if it is a whole number from 0 to `limit`.
std::optional<std::uint32_t> field(const json& value, std::uint32_t limit) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > limit) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(value.get<std::uint64_t>());
}

std::optional<Instruction> to_instruction(const json& value) {
  if (!value.is_array() || value.size() != 4) {
    return std::nullopt;
  }
  const std::optional<std::uint32_t> code = field(value[0], 0xffff);
  const std::optional<std::uint32_t> jt = field(value[1], 0xff);
  const std::optional<std::uint32_t> jf = field(value[2], 0xff);
  const std::optional<std::uint32_t> k = field(value[3], 0xffffffff);
  if (!code || !jt || !jf || !k) {
    return std::nullopt;
  }
  return Instruction{static_cast<std::uint16_t>(*code), static_cast<std::uint8_t>(*jt),
                     static_cast<std::uint8_t>(*jf), *k};
}

// The array of instructions inside the document; null when it holds none.
const json* find_instructions(const json& document) {
  if (!document.is_object()) {
    return document.is_array() ? &document : nullptr;
  }
  const auto classic = document.find("classic");
  const json& holder = classic != document.end() && classic->is_object() ? *classic : document;
  const auto found = holder.find("instructions");
  return found != holder.end() && found->is_array() ? &*found : nullptr;
}

Result<Program> to_program(const json& document) {
  const json* instructions = find_instructions(document);
  if (instructions == nullptr) {
    return fail(ErrorCode::kSyntax,
                "the JSON is neither an array of instructions nor an object with such an array as "
                "\"instructions\"",
                {.line = 1, .column = 1});
  }
  if (instructions->empty()) {
    return fail(ErrorCode::kSyntax, "the program has no instructions", {.line = 1, .column = 1});
  }
  Program program;
  for (const json& value : *instructions) {
    const std::optional<Instruction> instruction = to_instruction(value);
    if (!instruction) {
      return fail(ErrorCode::kSyntax,
                  "an instruction is [code, jt, jf, k], whole numbers of at most 65535, 255, 255 "
                  "and 4294967295",
                  {.instruction = static_cast<std::uint32_t>(program.instructions.size())});
    }
    program.instructions.push_back(*instruction);
  }
  return program;
}

}  // namespace

Result<Program> read_json(std::string_view text) {
  try {
    return to_program(json::parse(text));
  } catch (const json::parse_error& error) {
    const std::size_t offset = error.byte == 0 ? 0 : error.byte - 1;
    return fail(ErrorCode::kSyntax, "the text is not JSON from here on",
                Scanner(text).place_of(std::min(offset, text.size())), error.what());
  } catch (const json::exception& error) {  // A number too large even for a double.
    return fail(ErrorCode::kSyntax, "the JSON has a value that cannot be read",
                {.line = 1, .column = 1}, error.what());
  }
}

}  // namespace weir::cbpf
