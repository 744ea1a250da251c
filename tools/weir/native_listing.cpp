#include "tools/weir/native_listing.h"

#include <capstone/capstone.h>
#include <fmt/format.h>

#include <cstddef>

namespace weir::tool {
namespace {

// Opens Capstone for the processor this is compiled for; false when there is nothing for it.
bool open_disassembler(csh& disassembler) {
#if defined(__x86_64__)
  return cs_open(CS_ARCH_X86, CS_MODE_64, &disassembler) == CS_ERR_OK;
#elif defined(__aarch64__)
  return cs_open(CS_ARCH_ARM64, CS_MODE_ARM, &disassembler) == CS_ERR_OK;
#else
  (void)disassembler;
  return false;
#endif
}

std::string line(std::size_t offset, const std::string& text) {
  return fmt::format("{:4x}: {}\n", offset, text);
}

}  // namespace

std::string native_listing(Bytes code) {
  std::string text;
  csh disassembler = 0;
  const bool opened = open_disassembler(disassembler);
  std::size_t offset = 0;
  while (offset < code.size()) {
    cs_insn* instruction = nullptr;
    const std::size_t read = opened ? cs_disasm(disassembler, code.data() + offset,
                                                code.size() - offset, offset, 1, &instruction)
                                    : 0;
    if (read == 0) {
      text += line(offset, fmt::format(".byte 0x{:02x}", code[offset]));
      ++offset;
      continue;
    }
    const std::string operands = instruction->op_str;
    text += line(offset, instruction->mnemonic + (operands.empty() ? "" : " " + operands));
    offset += instruction->size;
    cs_free(instruction, read);
  }
  if (opened) {
    cs_close(&disassembler);
  }
  return text;
}

}  // namespace weir::tool
