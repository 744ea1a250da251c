// Extended programs as machine code of the processor weir runs on: x86-64, or AArch64.
//
// A program of the `user` target whose accesses are all proven (userspace/bounds_analysis.h), as
// those that weir translates are, becomes one loop over the packets of a batch, without checks and
// without a context in memory; where many packets come it is compiled once more, to run on eight of
// them at once (simd_program.h). Any other program is compiled with a check before each access that
// is not proven. tests/translator/jit holds it against the interpreter and the kernel; the code for
// AArch64 under an emulator, so that nothing is known of its speed. Price on x86-64: a few
// microseconds to compile, a nanosecond or two a packet to run.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "cbpf/base/bytes.h"
#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"
#include "translator/ebpf/user_context.h"
#include "translator/userspace/run.h"

namespace weir::jit {

class CodePool;

// What the program is run on.
enum class RunsOn : std::uint8_t {
  kMemory,   // run(), run_memory(): r1 and r2 are the caller's; every access is checked.
  kPackets,  // run_packet(), run_packets(): r1 is the address of a UserContext.
};

// Whether batches of packets are run by code for eight at once (simd_program.h), where the
// processor has it. It answers the same, takes some tens of microseconds to make, and which of the
// two is faster depends on the traffic (adaptive_choice.h). It may read bytes behind those that
// were captured, but only on a page that has one that was; what they are does not matter.
enum class SimdUse : std::uint8_t {
  kNever,
  kMeasured,  // Where many packets have come, by the faster of the two.
  kAlways,    // From the first batch on.
};

struct CompileOptions {
  RunsOn runs_on = RunsOn::kMemory;
  // How many slots jumps and returns may go back in one run before it is a fault; 0:
  // ebpf::kDefaultBudget.
  std::uint64_t budget = 0;
  // Whether runs bring a packet for the legacy loads (section 5.5). They are refused otherwise.
  bool legacy_packet_access = false;
  // Whether batches fetch two cache lines of each packet ahead of its turn.
  bool prefetch = true;
  SimdUse lanes = SimdUse::kMeasured;
  std::shared_ptr<CodePool> pool;  // Where the pages come from; none: from the kernel each time.
};

struct NativeCode;

// A compiled program. It owns its code and a copy of the program's data; helpers' `user` must
// outlive it. Runs do not change it, so threads may share one.
class NativeProgram {
 public:
  // kInvalidProgram with the instruction as the place: a jump or call to no instruction, a last
  // instruction that falls through, a write to r10, a field no wire form can hold. kUnsupported: a
  // helper that is not among `helpers`, a kernel function, a map or variable other than read-only
  // data by index (kMapValueIndex), legacy packet access not asked for, a processor without a
  // compiler. kSystem: no executable memory. O(n).
  static Result<NativeProgram> compile(const ebpf::Program& program,
                                       std::span<const ebpf::Helper> helpers = {},
                                       const CompileOptions& options = {});

  NativeProgram(NativeProgram&&) noexcept;
  NativeProgram& operator=(NativeProgram&&) noexcept;
  ~NativeProgram();

  // Runs once; r0 at the exit. kInvalidProgram with the instruction as the place on a fault: an
  // access outside every region, a write to a read-only one, an atomic operation that is not
  // aligned, a ninth frame, the budget used up. kUsage when compiled for packets.
  Result<std::uint64_t> run(const ebpf::Input& input) const;

  // The same with r1 = the memory's address (0 when empty), r2 = its size in bytes.
  Result<std::uint64_t> run_memory(std::span<std::uint8_t> memory) const;

  // Runs on one packet: the low half of r0. kUsage when compiled for memory.
  Result<std::uint32_t> run_packet(const ebpf::UserContext& context) const;

  // The same for many packets. `common` gives the ancillary values; verdicts[i] is the answer to
  // packets[i], and must have as many places. The first fault ends the batch; its detail says which
  // packet.
  Status run_packets(std::span<const ebpf::UserPacket> packets, std::span<std::uint32_t> verdicts,
                     const ebpf::UserContext& common = {}) const;

  Bytes code() const;  // The machine code.

  // How many instructions that touch memory are checked while they run.
  std::size_t checked_accesses() const;

 private:
  explicit NativeProgram(std::unique_ptr<NativeCode> code);

  std::unique_ptr<NativeCode> code_;
};

}  // namespace weir::jit
