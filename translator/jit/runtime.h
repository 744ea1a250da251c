// What generated code shares with the C++ around it: the state of a run, and the functions it
// calls.
#pragma once

#include <cstdint>
#include <span>

#include "translator/ebpf/user_context.h"
#include "translator/userspace/run.h"

namespace weir::jit {

// A run of a program whose accesses are checked. Generated code knows the offsets of its fields.
struct RunState {
  std::uint64_t r0 = 0;
  std::uint64_t r1 = 0;
  std::uint64_t r2 = 0;
  std::uint64_t budget = 0;        // Slots that may still be jumped back.
  std::uint64_t native_stack = 0;  // The stack pointer to which an early end goes back.
  std::uint64_t stack_top = 0;     // r10 of the first frame.
  std::uint32_t frames_left = 0;   // How many local calls may still be open.
  std::uint32_t fault_instruction = 0;
  std::uint32_t fault_kind = 0;   // An ebpf::FaultKind.
  std::uint32_t frame_bytes = 0;  // Of stack below r10 that may be touched.
  std::uint64_t fault_address = 0;
  ebpf::Region main;  // Looked at first.
  std::span<const ebpf::Region> given;
  std::span<const ebpf::Region> data;
  Bytes packet;  // For the legacy loads.
};

// What an access does, for check_access(): its bytes and these.
inline constexpr std::uint32_t kWrites = 0x100;
inline constexpr std::uint32_t kAtomic = 0x200;

// 0 when the access is inside a region of the run; else the fault is noted. `frame` is r10.
extern "C" std::uint64_t weir_jit_check_access(RunState* state, std::uint64_t address,
                                               std::uint32_t what, std::uint64_t frame,
                                               std::uint32_t instruction);

// A legacy load (RFC 9669 section 5.5); all ones when the packet does not hold it.
extern "C" std::uint64_t weir_jit_load_packet(RunState* state, std::uint32_t offset,
                                              std::uint32_t bytes);

// How generated code is called. Checked: one run.
using CheckedEntry = void (*)(RunState* state);
// Proven: every packet of a batch; `ahead` is how many bytes before its turn in the array a packet
// is prefetched. The array must reach so far behind `end`.
using BatchEntry = void (*)(const ebpf::UserPacket* begin, const ebpf::UserPacket* end,
                            std::uint32_t* verdicts, const ebpf::UserContext* common,
                            std::uint64_t ahead);

// In lanes: the same for whole groups of packets, beginning with the first. Returns `end`, or the
// first group it leaves to the other code because bytes it reads may not be there; all before are
// done. `ahead` may be 0: nothing is prefetched then.
struct SimdConstant;
using LaneEntry = const ebpf::UserPacket* (*)(const ebpf::UserPacket* begin,
                                              const ebpf::UserPacket* end, std::uint32_t* verdicts,
                                              const ebpf::UserContext* common,
                                              const SimdConstant* constants, std::uint64_t ahead);

}  // namespace weir::jit
