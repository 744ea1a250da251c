// What a run of a program in user space is given, and how it can fail: the words the interpreter
// and the native code of an extended program share.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "cbpf/base/bytes.h"
#include "cbpf/base/packet_bytes.h"
#include "translator/ebpf/program.h"

namespace weir::ebpf {

inline constexpr std::size_t kFrameBytes = 512;  // Of stack, for each function called.
inline constexpr std::size_t kFrames = 8;

// How many slots a run may jump back when nothing else is said.
inline constexpr std::uint64_t kDefaultBudget = std::uint64_t{1} << 32;

// Memory a program may touch. Nothing is owned.
struct Region {
  std::uint64_t address = 0;
  std::uint64_t size = 0;  // In bytes.
  bool writable = false;
};

Region readable(Bytes bytes);
Region writable(std::span<std::uint8_t> bytes);

inline bool covers(const Region& region, std::uint64_t address, std::uint64_t bytes) {
  const std::uint64_t into = address - region.address;  // Huge when it is before.
  return into < region.size && region.size - into >= bytes;
}

// A function a program calls by number. It is given r1 to r5 and answers r0. A pointer among them
// is the program's word, to be believed only after a check.
using HelperFunction = std::uint64_t (*)(void* user, std::uint64_t r1, std::uint64_t r2,
                                         std::uint64_t r3, std::uint64_t r4, std::uint64_t r5);
struct Helper {
  std::int32_t number = 0;
  HelperFunction function = nullptr;
  void* user = nullptr;  // Given back to the function.
};

// What a run is given. The other registers but r10 start at 0, the stack is all 0.
struct Input {
  std::uint64_t r1 = 0;
  std::uint64_t r2 = 0;
  std::span<const Region> regions;  // What the program may touch beside its stack and its data.
  Bytes packet;                     // For the legacy loads.
};

// A packet of a batch.
using UserPacket = PacketBytes;

enum class FaultKind : std::uint8_t { kNone, kOutside, kReadOnly, kUnaligned, kDepth, kBudget };

struct Fault {
  FaultKind kind = FaultKind::kNone;
  std::uint32_t instruction = 0;
  std::uint64_t address = 0;
  std::size_t packet = 0;  // Of a batch.
};

// "load of 4 bytes at 0x10 is outside every region", of the instruction at fault.
std::string fault_text(const Instruction& instruction, const Fault& fault);

}  // namespace weir::ebpf
