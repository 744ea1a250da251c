// The form a program is run in: one Op an instruction, with the address of the code that does it.
// Between load.cpp, which makes it, and execute.cpp, which runs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "translator/vm/machine.h"

namespace weir::vm {

// What some operations keep in place of a value; set as a whole, so without defaults.
struct JumpPart {
  std::int32_t imm;
  std::int32_t target;  // In Ops from this one.
};
// Of a test that ends a program (handler::kFinal).
struct FinalPart {
  std::int32_t imm;
  std::uint32_t other;  // The verdict where the bytes are the number; see kFinalPair too.
};
struct AtomicPart {
  ebpf::AtomicOp op;
  bool fetch;
  std::uint8_t bytes;
};
struct PacketPart {
  std::uint32_t offset;
  std::uint8_t bytes;
  bool indirect;
};

// One instruction, or one operation of a packet form, ready to run. What `value` holds depends on
// the operation: the immediate extended to 64 bits, the offset of a load or of a store of a
// register; jumps and others have their own part.
struct Op {
  const void* handler = nullptr;  // A label of execute().
  union {
    std::uint64_t value = 0;
    JumpPart jump;
    FinalPart final;
    AtomicPart atomic;
    PacketPart packet;
    const Helper* helper;
  };
  std::uint8_t dst = 0;
  std::uint8_t src = 0;
  std::int16_t offset = 0;
  union {
    std::uint32_t index = 0;  // Of the instruction it comes from.
    std::uint32_t verdict;    // Of a test that ends a program, which never fails.
  };
  // Of packet operations: what is added to their address, and the bits they look at.
  std::int32_t place = 0;
  std::uint32_t mask = 0;
};
static_assert(sizeof(Op) == 32);

// The registers of a run: r0 to r10, and where the packet in hand starts.
inline constexpr std::size_t kStart = 11;
inline constexpr std::size_t kRegisters = 12;

// Numbers of the handlers. Those of a family follow one another as the functions below count.
namespace handler {
inline constexpr std::size_t kAlu = 0;  // 18 operations: 32 bits imm, reg, 64 bits imm, reg.
inline constexpr std::size_t kJump = kAlu + 18UL * 4;  // 12 conditions likewise.
// 4 widths: unsigned, sign-extended.
inline constexpr std::size_t kLoad = kJump + 12UL * 4;
// 4 widths: imm, reg.
inline constexpr std::size_t kStore = kLoad + 4UL * 2;
// 16, 32, 64 bits: cut, swapped.
inline constexpr std::size_t kEndian = kStore + 4UL * 2;
inline constexpr std::size_t kImm64 = kEndian + 3UL * 2;
inline constexpr std::size_t kAtomic = kImm64 + 1;
inline constexpr std::size_t kPacket = kAtomic + 1;
inline constexpr std::size_t kCallHelper = kPacket + 1;
inline constexpr std::size_t kCallLocal = kCallHelper + 1;
inline constexpr std::size_t kReturn = kCallLocal + 1;  // An exit where there are local calls.
inline constexpr std::size_t kExit = kReturn + 1;
inline constexpr std::size_t kBack = kExit + 1;  // The way of a backward jump, with its charge.
// Of packet forms (userspace/packet_program.h). Loads: 1, 2, 4 and 8 bytes, sign-extended, turned
// around.
inline constexpr std::size_t kPacketLoad = kBack + 1;
// 1, 2 and 4 bytes: masked, then ==, !=, &, >=, <.
inline constexpr std::size_t kTest = kPacketLoad + 4UL * 3 * 2;
inline constexpr std::size_t kHeader = kTest + 3UL * 5 * 2;  // 1, 2, 4 bytes.
inline constexpr std::size_t kPoint = kHeader + 3;           // At the start, at start + register.
inline constexpr std::size_t kPacketEnd = kPoint + 2;
inline constexpr std::size_t kLength = kPacketEnd + 1;
inline constexpr std::size_t kField = kLength + 1;
inline constexpr std::size_t kFewer = kField + 1;
inline constexpr std::size_t kEnough = kFewer + 1;
inline constexpr std::size_t kPast = kEnough + 1;  // >, >=, <, <=, ==, !=.
inline constexpr std::size_t kVerdict = kPast + 6;
inline constexpr std::size_t kReturnVerdict = kVerdict + 1;
// Several operations in one, by superinstructions.h; what stands behind the first of them stays as
// it is for those who jump to it. All of these take the packet's start from a register of its own,
// kStart.
//
// A test of 1, 2, 4 bytes with a verdict on either side: where the bytes differ from the number it
// is `verdict`, else final.other. Nothing is jumped over, so nothing is mispredicted.
inline constexpr std::size_t kFinal = kReturnVerdict + 1;
// A test with one verdict in front of a kFinal, by both widths: where the bytes differ
// (final.other is 1) or do not (0), it is `verdict`, else what follows says.
inline constexpr std::size_t kFinalPair = kFinal + 3;
// Two tests with one target, by both widths: where one of them differs; where one does not.
inline constexpr std::size_t kEitherDiffers = kFinalPair + 3UL * 3;
inline constexpr std::size_t kEitherEqual = kEitherDiffers + 3UL * 3;
// kHeader of one byte and what is > or <= of kPast on its result.
inline constexpr std::size_t kHeaderPast = kEitherEqual + 3UL * 3;
// A compare of the low half of a register with a number, with a verdict on either side: != and <.
inline constexpr std::size_t kFinalCompare = kHeaderPast + 2;
// A load of 1, 2, 4 bytes at the packet's start and a compare of them with a number: == and !=.
inline constexpr std::size_t kLoadCompare = kFinalCompare + 2;
inline constexpr std::size_t kCount = kLoadCompare + 3UL * 2;

constexpr std::size_t alu(ebpf::AluOp op, bool is64, bool reg) {
  return kAlu + static_cast<std::size_t>(op) * 4 + (is64 ? 2 : 0) + (reg ? 1 : 0);
}
constexpr std::size_t jump(ebpf::JumpOp op, bool is64, bool reg) {
  return kJump + static_cast<std::size_t>(op) * 4 + (is64 ? 2 : 0) + (reg ? 1 : 0);
}
constexpr std::size_t width_index(ebpf::Width width) {
  return width == ebpf::Width::kB   ? 0
         : width == ebpf::Width::kH ? 1
         : width == ebpf::Width::kW ? 2
                                    : 3;
}
constexpr std::size_t load(ebpf::Width width, bool sign_extend) {
  return kLoad + width_index(width) * 2 + (sign_extend ? 1 : 0);
}
// How bytes become a number: as they are, sign-extended, the first the highest.
enum class Reading : std::uint8_t { kPlain, kSigned, kTurned };
constexpr std::size_t packet_load(ebpf::Width width, Reading reading, bool from_start) {
  return kPacketLoad + width_index(width) * 6 + static_cast<std::size_t>(reading) * 2 +
         (from_start ? 0 : 1);
}
enum class Condition : std::uint8_t { kEqual, kNotEqual, kAnyBit, kAtLeast, kBelow };
constexpr std::size_t test(ebpf::Width width, Condition condition, bool from_start) {
  return kTest + width_index(width) * 10 + static_cast<std::size_t>(condition) * 2 +
         (from_start ? 0 : 1);
}
constexpr std::size_t by_widths(std::size_t family, ebpf::Width first, ebpf::Width second) {
  return family + width_index(first) * 3 + width_index(second);
}
constexpr std::size_t header(ebpf::Width width) { return kHeader + width_index(width); }

constexpr std::size_t store(ebpf::Width width, bool reg) {
  return kStore + width_index(width) * 2 + (reg ? 1 : 0);
}
}  // namespace handler

using ebpf::Fault;
using ebpf::FaultKind;
using ebpf::kFrameBytes;
using ebpf::kFrames;

struct Code;
struct Job;
// Goes through all packets of a job.
using BatchLoop = void (*)(const Code& code, const Job& job);

// Everything a Machine keeps.
struct Code {
  std::vector<Op> ops;
  // The same for packets, without context and checks; empty where the proof is not enough.
  std::vector<Op> packet_ops;
  // Where packets of fewer bytes begin, and all others. Most programs ask that first.
  std::uint32_t least_captured = 0;
  std::uint32_t begin_short = 0;
  std::uint32_t begin = 0;
  // The bytes of a packet to have near before its turn: the first and the last of those read.
  bool prefetched = false;  // Whether any are.
  std::int32_t first_prefetched = 0;
  std::int32_t last_prefetched = 0;
  BatchLoop loop = nullptr;       // Of programs that one operation decides (single_test_loop.h).
  bool registers_zeroed = false;  // Whether a packet's run relies on the registers being 0,
  bool stack_zeroed = false;      // or on the stack.
  std::vector<Helper> helpers;
  std::vector<std::vector<std::uint8_t>> data;  // Of each map.
  std::vector<Region> regions;                  // The same as regions.
  std::uint64_t budget = kDefaultBudget;
  std::size_t stack_bytes = 0;  // Of the first frame, from the top: what the program can touch.
  std::vector<ebpf::Instruction> instructions;  // By index, for messages.
};

// One run, or one batch of packets.
struct Job {
  std::uint64_t r1 = 0;
  std::uint64_t r2 = 0;
  Region main;                           // Looked at first: the packet, or the first region.
  Region second;                         // Looked at next: the context.
  std::span<const Region> regions;       // The others the caller gives.
  Bytes packet;                          // For the legacy loads.
  ebpf::UserContext* context = nullptr;  // Of a batch; r1 points to it.
  std::span<const UserPacket> packets;   // Of a batch; empty: a single run.
  std::uint32_t* verdicts = nullptr;
  std::uint64_t r0 = 0;  // Of a single run.
  Fault fault;
};

// How many packets ahead of the one in hand others are fetched.
inline constexpr std::size_t kPrefetchAhead = 16;

// Fetches the lines of a packet that the program reads. The address is a number, for an empty
// packet may be a null pointer; a prefetch minds none.
inline void prefetch(const Code& code, const UserPacket& packet) {
  const auto start = reinterpret_cast<std::uintptr_t>(packet.data);
  const auto at = [start](std::int32_t offset) {
    return reinterpret_cast<const void*>(start +
                                         static_cast<std::uintptr_t>(std::intptr_t{offset}));
  };
  __builtin_prefetch(at(code.first_prefetched));
  __builtin_prefetch(at(code.last_prefetched));
}

// Runs a job; false when it ended with job.fault.
bool execute(const Code& code, Job& job);

// The labels of execute(), by their number in `handler`; null where an operation has no such form.
std::span<const void* const> handlers();

}  // namespace weir::vm
