// The extended machine in user space: loads a program once, runs it many times.
//
// Every access to memory is checked while it runs, against the regions the program may touch; but a
// program of the `user` target whose accesses are all proven (userspace/bounds_analysis.h), as
// those that weir translates are, runs on packets in its packet form (userspace/packet_program.h)
// without checks. What RFC 9669 defines behaves as it says there; what a kernel would refuse but
// the standard defines (a constant divisor of 0, code that is never reached) runs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "cbpf/base/bytes.h"
#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"
#include "translator/ebpf/user_context.h"
#include "translator/userspace/run.h"

namespace weir::vm {

using ebpf::Helper;
using ebpf::HelperFunction;
using ebpf::Input;
using ebpf::kDefaultBudget;
using ebpf::readable;
using ebpf::Region;
using ebpf::UserPacket;
using ebpf::writable;

struct LoadOptions {
  // How many slots jumps and returns may go back in one run before it is a fault; so a run executes
  // at most this many instructions and the program's length. 0: kDefaultBudget. A program without
  // backward jumps and local calls ends by itself, whatever is said here.
  std::uint64_t budget = 0;
  // Whether runs bring a packet for the legacy loads (section 5.5). They are refused otherwise.
  bool legacy_packet_access = false;
};

struct Code;

// A loaded program. It owns a copy of the program's data; helpers' `user` must outlive it. Runs do
// not change it, so threads may share one.
class Machine {
 public:
  // kInvalidProgram with the instruction as the place: a jump or call to no instruction, a last
  // instruction that falls through, a write to r10, a field no wire form can hold. kUnsupported: a
  // helper that is not among `helpers`, a kernel function, a map or variable other than read-only
  // data by index (kMapValueIndex), legacy packet access not asked for. O(n).
  static Result<Machine> load(const ebpf::Program& program, std::span<const Helper> helpers = {},
                              const LoadOptions& options = {});

  Machine(Machine&&) noexcept;
  Machine& operator=(Machine&&) noexcept;
  ~Machine();

  // Runs once; r0 at the exit. kInvalidProgram with the instruction as the place on a fault: an
  // access outside every region, a write to a read-only one, an atomic operation that is not
  // aligned, a ninth frame, the budget used up.
  Result<std::uint64_t> run(const Input& input) const;

  // The same with r1 = the memory's address (0 when empty), r2 = its size in bytes.
  Result<std::uint64_t> run_memory(std::span<std::uint8_t> memory) const;

  // Runs a program of the `user` target on one packet: the low half of r0. No allocation.
  Result<std::uint32_t> run_packet(const ebpf::UserContext& context) const;

  // The same for many packets. `common` gives the ancillary values; verdicts[i] is the answer to
  // packets[i], and must have as many places. The first fault ends the batch; its detail says which
  // packet.
  Status run_packets(std::span<const UserPacket> packets, std::span<std::uint32_t> verdicts,
                     const ebpf::UserContext& common = {}) const;

 private:
  explicit Machine(std::unique_ptr<Code> code);

  std::unique_ptr<Code> code_;
};

}  // namespace weir::vm
