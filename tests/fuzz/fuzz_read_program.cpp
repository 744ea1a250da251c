// Any text through the readers of the bytecode forms, and any instructions through the writers.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "cbpf/text/assemble.h"
#include "cbpf/text/disassemble.h"
#include "cbpf/text/text.h"
#include "tests/fuzz/require.h"

namespace weir::cbpf {
namespace {

constexpr TextForm kForms[] = {TextForm::kListing, TextForm::kCArray, TextForm::kDecimal,
                               TextForm::kXtBpf, TextForm::kJson};

void read_text(std::string_view text) {
  for (const TextForm form : kForms) {
    const Result<Program> program = from_text(text, form);
    if (!program) {
      const Place& place = program.error().place;
      require((place.line > 0 && place.column > 0) || place.instruction, "an error has a place");
      continue;
    }
    require(!program->instructions.empty(), "no reader gives an empty program");
    const std::string written = to_text(*program, form);
    const Result<Program> again = read_program(written);
    require(again.has_value(), "what is written can be read", written);
    require(*again == *program, "written and read, a program is the same", written);
  }
}

void write_instructions(const std::uint8_t* data, std::size_t size) {
  Program program;
  for (; size >= sizeof(Instruction); data += sizeof(Instruction), size -= sizeof(Instruction)) {
    Instruction instruction;
    std::memcpy(&instruction, data, sizeof(instruction));
    program.instructions.push_back(instruction);
  }
  if (program.instructions.empty()) {
    return;
  }
  for (const TextForm form : kForms) {
    const std::string written = to_text(program, form);
    // The listing leaves out what the instructions ignore.
    if (form != TextForm::kListing) {
      require(read_program(written) == program, "written and read, a program is the same", written);
    }
  }
  const std::string assembly = disassemble(program);
  require(assemble(assembly) == program, "disassembled and assembled, a program is the same",
          assembly);
}

}  // namespace
}  // namespace weir::cbpf

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::cbpf::read_text(std::string_view(reinterpret_cast<const char*>(data), size));
  weir::cbpf::write_instructions(data, size);
  return 0;
}
