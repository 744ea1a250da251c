// From a program to machine code. One compiler a processor: compile_checked_x86.cpp with
// compile_packets_x86.cpp, and compile_checked_aarch64.cpp with compile_packets_aarch64.cpp. They
// only make bytes, on every machine; native_*.cpp says which of them made what this one runs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"
#include "translator/jit/jit.h"
#include "translator/jit/simd/simd_program.h"
#include "translator/userspace/bounds_analysis.h"
#include "translator/userspace/packet_program.h"
#include "translator/userspace/run.h"

namespace weir::jit {

enum class Processor : std::uint8_t { kX86, kAArch64 };

// The one weir runs on; nothing where there is no compiler for it.
std::optional<Processor> native_processor();

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
  std::optional<ebpf::PacketProgram> form;  // What a batch entry was made from.
};

// The errors are those of NativeProgram::compile().
Result<CompiledCode> compile(const CompileInput& input, Processor processor);

// The two ways each has. The program is one that user space takes (ebpf::check_for_user_space). The
// proof may be empty: then every access is checked.
namespace x86 {
CompiledCode compile_checked(const CompileInput& input, const ebpf::AccessProof& proof);
CompiledCode compile_packets(const CompileInput& input, const ebpf::PacketProgram& form);
}  // namespace x86
// These fail where the code is too long for a jump over it.
namespace aarch64 {
Result<CompiledCode> compile_checked(const CompileInput& input, const ebpf::AccessProof& proof);
Result<CompiledCode> compile_packets(const CompileInput& input, const ebpf::PacketProgram& form);
}  // namespace aarch64

// The instruction each jump and local call leads to; kNoTarget of the others. O(n).
inline constexpr std::uint32_t kNoTarget = 0xffffffff;
std::vector<std::uint32_t> jump_targets(const ebpf::Program& program);

// What the instruction puts into its register; `data` are the maps' values.
std::uint64_t value_of(const ebpf::LoadImm64& load, std::span<const ebpf::Region> data);

// The helper of that number, which is among them.
const ebpf::Helper& helper_of(const ebpf::Call& call, std::span<const ebpf::Helper> helpers);

// A constant for each lane; code finds it by its place in an array of them.
struct alignas(32) SimdConstant {
  std::array<std::uint32_t, kLanes> dwords{};
  bool operator==(const SimdConstant&) const = default;
};
struct SimdCode {
  std::vector<std::uint8_t> bytes;  // A LaneEntry.
  std::vector<SimdConstant> constants;
};

// Whether this processor can run the code of lanes.
bool has_simd();
// The second code of a packet form, for groups of packets. Nothing when there is none, or it would
// take too much room. Only where has_simd().
std::optional<SimdCode> compile_simd(const SimdProgram& form, const ebpf::PacketProgram& packets);

}  // namespace weir::jit
