// Short ways to write and run programs in the tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/translator/vm/both_machines.h"

namespace weir::vm {

inline ebpf::Program program_of(std::vector<ebpf::Instruction> instructions) {
  return {.instructions = std::move(instructions)};
}

inline ebpf::LoadImm64 constant(ebpf::Reg dst, std::uint64_t value) {
  return {.dst = dst, .value = value};
}

inline ebpf::Alu move(ebpf::Reg dst, ebpf::Operand src) {
  return {.op = ebpf::AluOp::kMov, .is64 = true, .dst = dst, .src = src};
}

inline BothMachines machine(const ebpf::Program& program, std::span<const Helper> helpers = {},
                            const LoadOptions& options = {}) {
  Result<BothMachines> loaded = BothMachines::load(program, helpers, options);
  EXPECT_TRUE(loaded.has_value()) << to_string(loaded.error());
  return std::move(*loaded);
}

// r0 of a program that must load and run; 0xdead… when it faults, which fails the test.
inline std::uint64_t result(const ebpf::Program& program, std::span<std::uint8_t> memory = {}) {
  const Result<std::uint64_t> r0 = machine(program).run_memory(memory);
  EXPECT_TRUE(r0.has_value()) << to_string(r0.error());
  return r0.value_or(0xdeaddeaddeaddeadU);
}
inline std::uint64_t result(std::vector<ebpf::Instruction> instructions,
                            std::span<std::uint8_t> memory = {}) {
  return result(program_of(std::move(instructions)), memory);
}

// What a program's fault, or its refusal at load, says.
inline std::string fault(const ebpf::Program& program, std::span<std::uint8_t> memory = {},
                         const LoadOptions& options = {}) {
  const Result<BothMachines> loaded = BothMachines::load(program, {}, options);
  if (!loaded) {
    return "load: " + to_string(loaded.error());
  }
  const Result<std::uint64_t> r0 = loaded->run_memory(memory);
  return r0 ? "none" : to_string(r0.error());
}
inline std::string fault(std::vector<ebpf::Instruction> instructions,
                         std::span<std::uint8_t> memory = {}, const LoadOptions& options = {}) {
  return fault(program_of(std::move(instructions)), memory, options);
}

}  // namespace weir::vm
