// From a program to machine code. One implementation a processor: compile_x86.cpp with
// compile_checked_x86.cpp and compile_packets_x86.cpp; compile_none.cpp where there is none.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/ebpf/packet_form.h"
#include "translator/ebpf/program.h"
#include "translator/ebpf/prove.h"
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

// The two ways it has. The program is one that user space takes (ebpf::check_for_user_space). The
// proof may be empty: then every access is checked.
CompiledCode compile_checked(const CompileInput& input, const ebpf::AccessProof& proof);
CompiledCode compile_packets(const CompileInput& input, const ebpf::PacketForm& form);

}  // namespace weir::jit
