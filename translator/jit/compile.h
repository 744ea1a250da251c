// From a program to machine code. One implementation a machine: compile_x86.cpp; compile_none.cpp
// where there is none.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"
#include "translator/ebpf/user_run.h"
#include "translator/jit/jit.h"

namespace weir::jit {

struct CompileInput {
  const ebpf::Program& program;
  std::span<const ebpf::Helper> helpers;
  const CompileOptions& options;
  std::span<const ebpf::Region> data;  // Of each map.
};

struct CompiledCode {
  std::vector<std::uint8_t> bytes;  // The entry is at their start.
  bool batch = false;               // A BatchEntry, else a CheckedEntry.
  std::size_t checked_accesses = 0;
  std::uint32_t frame_bytes = 0;
};

// The errors are those of NativeProgram::compile().
Result<CompiledCode> compile(const CompileInput& input);

}  // namespace weir::jit
