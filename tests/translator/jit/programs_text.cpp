#include "tests/translator/jit/programs_text.h"

#include <istream>
#include <ostream>
#include <sstream>
#include <utility>

#include "cbpf/base/bytes.h"
#include "translator/ebpf/encode.h"

namespace weir::jit {

void write_programs(std::ostream& out, const std::vector<NamedProgram>& programs) {
  for (const NamedProgram& one : programs) {
    for (const ebpf::Map& map : one.program.maps) {
      out << "data " << to_hex(map.data) << "\n";
    }
    out << "code ";
    for (const ebpf::Slot slot : ebpf::encode(one.program.instructions)) {
      out << ebpf::to_hex(slot);
    }
    out << " " << one.name << "\n";
  }
}

Result<std::vector<NamedProgram>> read_programs(std::istream& in) {
  std::vector<NamedProgram> programs;
  ebpf::Program program;
  std::uint32_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::istringstream words(line);
    std::string kind;
    std::string digits;
    words >> kind >> digits;
    if (kind == "data") {
      const auto bytes = from_hex(digits);
      if (!bytes) {
        return fail(ErrorCode::kSyntax, "data is not hexadecimal", {.line = number});
      }
      program.maps.push_back({.name = "data",
                              .value_size = static_cast<std::uint32_t>(bytes->size()),
                              .data = *bytes});
      continue;
    }
    if (kind != "code") {
      return fail(ErrorCode::kSyntax, "neither code nor data", {.line = number});
    }
    const auto slots = ebpf::slots_from_hex(digits);
    if (!slots) {
      return tl::make_unexpected(slots.error());
    }
    auto instructions = ebpf::decode(*slots);
    if (!instructions) {
      return tl::make_unexpected(instructions.error());
    }
    program.instructions = std::move(*instructions);
    NamedProgram& one = programs.emplace_back();
    std::getline(words >> std::ws, one.name);
    one.program = std::exchange(program, {});
  }
  return programs;
}

}  // namespace weir::jit
