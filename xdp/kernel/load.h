// Loads extended programs into the running kernel.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/fd.h"
#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"

namespace weir::xdp {

enum class ProgramType : std::uint8_t { kSocketFilter, kTc, kXdp };

// "socket filter", "tc", "XDP".
std::string_view program_type_name(ProgramType type);

struct LoadOptions {
  // What bpftool and `ip link` show. The kernel keeps 15 characters of letters, digits, '_' and
  // '.'; others become '_'.
  std::string name = "weir";
  // Keep the verifier's whole trace also of a program it accepts (a line an instruction and path;
  // megabytes for long programs). Without it only the statistics are asked for.
  bool full_log = false;
  // Of an XDP program that calls a kernel function of a driver's (bpf_xdp_metadata_*): the index of
  // the interface. It can be attached to that one alone, in native mode, and not be called by
  // another program. 0: any interface.
  std::uint32_t interface = 0;
};

// What the verifier says of a program it has accepted.
struct VerifierStatistics {
  std::uint32_t processed_instructions = 0;  // Of at most 1,000,000; loops and paths count again.
  std::uint32_t peak_states = 0;
  std::uint32_t stack_depth = 0;  // In bytes.
};

// What the kernel tells of a loaded program (struct bpf_prog_info).
struct ProgramInfo {
  std::uint32_t id = 0;
  std::string name;
  std::uint32_t instructions = 0;      // After the verifier's rewriting, in slots.
  std::uint32_t native_bytes = 0;      // Of machine code; 0 when the JIT is off.
  std::uint64_t loaded_at_ns = 0;      // Since the boot of the machine.
  std::vector<std::uint32_t> map_ids;  // Of what it reads, writes or only holds: the first 256.
};

struct LoadedMap {
  std::string name;
  Fd fd;
};

// A program that the verifier has accepted, with its maps. Only load() makes one. Owns the
// descriptors: the program lives until this object ends and every hook has let it go.
class LoadedProgram {
 public:
  int fd() const { return fd_.get(); }
  ProgramType type() const { return type_; }
  const ProgramInfo& info() const { return info_; }
  const VerifierStatistics& statistics() const { return statistics_; }
  const std::string& log() const { return log_; }
  const std::vector<LoadedMap>& maps() const { return maps_; }
  // The descriptor of the map of that name, -1 if there is none.
  int map_fd(std::string_view name) const;
  // The instructions as handed to the kernel, every map named by its descriptor.
  const std::vector<ebpf::Instruction>& instructions() const { return instructions_; }
  // Descriptors of the maps that no instruction names.
  const std::vector<int>& bound_maps() const { return bound_maps_; }

 private:
  friend Result<LoadedProgram> load(const ebpf::Program&, ProgramType, const LoadOptions&);
  LoadedProgram() = default;
  Fd fd_;
  ProgramType type_ = ProgramType::kSocketFilter;
  ProgramInfo info_;
  VerifierStatistics statistics_;
  std::string log_;
  std::vector<LoadedMap> maps_;
  std::vector<ebpf::Instruction> instructions_;
  std::vector<int> bound_maps_;
};

// Creates the maps (read-only data is written and frozen first), loads the program under the
// licence "Dual BSD/GPL" and binds its metadata maps. On failure nothing is left behind.
//
// kVerifier when the verifier refuses: the message ends with its last telling line, the detail is
// the end of its trace, each instruction with the classic instruction it comes from.
// kPermission when the kernel wants more capabilities, naming those that are missing: CAP_BPF, at
// tc and XDP also CAP_NET_ADMIN, and where the verifier refuses the program for want of it
// CAP_PERFMON. kUnsupported when this kernel has no such program type, map or instruction. kSystem
// for anything else.
//
// RLIMIT_MEMLOCK is raised by libbpf itself on kernels before 5.11, which alone count maps against
// it; a refusal there is not an error of its own.
Result<LoadedProgram> load(const ebpf::Program& program, ProgramType type,
                           const LoadOptions& options = {});

// What the kernel tells of any program one has a descriptor of.
Result<ProgramInfo> program_info(int program_fd);

// "1.1", the version of the libbpf that runs.
std::string libbpf_version();

}  // namespace weir::xdp
