#include "tools/bench/quiet.h"

#include "translator/ebpf/assembler.h"

namespace weir::bench {

cbpf::Program returning_nothing(cbpf::Program program) {
  for (cbpf::Instruction& instruction : program.instructions) {
    if (cbpf::class_of(instruction.code) == cbpf::kRet) {
      instruction = {cbpf::kRet | cbpf::kK, 0, 0, 0};
    }
  }
  return program;
}

ebpf::Program returning_always(ebpf::Program program, std::int32_t value) {
  const auto size = static_cast<std::int32_t>(ebpf::slot_count(program.instructions));
  std::int32_t at = 0;
  for (ebpf::Instruction& instruction : program.instructions) {
    if (std::holds_alternative<ebpf::Exit>(instruction)) {
      instruction = ebpf::Jump{.op = ebpf::JumpOp::kJa, .offset = size - at - 1};
    }
    at += static_cast<std::int32_t>(ebpf::slots(instruction));
  }
  program.instructions.push_back(ebpf::Alu{.is64 = false, .dst = ebpf::Reg::kR0, .src = value});
  program.instructions.push_back(ebpf::Exit{});
  program.origins.resize(program.instructions.size(), ebpf::kNoOrigin);
  return program;
}

ebpf::Program empty_program(std::int32_t value) {
  ebpf::Assembler assembler;
  assembler.emit(ebpf::Alu{.is64 = false, .dst = ebpf::Reg::kR0, .src = value});
  assembler.emit(ebpf::Exit{});
  return std::move(assembler).finish();
}

}  // namespace weir::bench
