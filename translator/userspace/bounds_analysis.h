// Proves, once and before any packet is seen, that accesses to memory of a program of the `user`
// target stay inside what it may touch. The machines in user space do without a check where it
// says so.
//
// One pass over the instructions in their order, as the kernel's verifier would make on one path,
// with the ways that meet joined: each register is a range of numbers or a pointer of a known kind;
// a compare of a packet pointer with data_end proves the bytes before it. Sound for programs that
// only go forward, where an instruction runs at most once: others get no proof.
#pragma once

#include <cstdint>
#include <vector>

#include "translator/ebpf/program.h"

namespace weir::ebpf {

enum class Proof : std::uint8_t {
  kNone,     // Nothing is known: to be checked when it runs. Also of what is no access.
  kSafe,     // Inside the packet, the data, the stack or the context, or never reached.
  kContext,  // A load of a whole field of the context, at the instruction's offset from its start.
};

// What is known of a register in one place of the program, on every way there.
struct Known {
  enum class Kind : std::uint8_t {
    kNothing,
    kConstant,  // It is `value`.
    kPacket,    // It points `value` bytes behind the packet's start.
    kEnd,       // It points behind the packet's last captured byte.
  };
  Kind kind = Kind::kNothing;
  std::int64_t value = 0;
  bool is_packet() const { return kind == Kind::kPacket; }
  bool is_constant() const { return kind == Kind::kConstant; }
};

// Around one instruction.
struct InstructionFacts {
  bool reached = false;
  Known dst;     // Before it: the register it writes or compares, or stores at.
  Known src;     // Before it: the register it reads or loads from.
  Known r0;      // Before it.
  Known result;  // Behind it: the register it writes.
};

struct AccessProof {
  std::vector<Proof> accesses;  // One an instruction.
  std::size_t unproven = 0;     // Loads, stores and atomic operations that are kNone.
  bool forward = false;         // No way back, no local calls: it ends by itself.
  // The context's address is used for nothing but kContext loads, so that whoever knows how to
  // answer those need not have a context in memory.
  bool context_only_loaded = false;
  // Registers (bit n: rn) that may be read before the program has written them, and whether bytes
  // of the stack may. They start at 0. r1 and r10 do not count.
  std::uint16_t read_unwritten = 0;
  bool stack_read_unwritten = false;
  // Of programs that go forward: what is known around each instruction, and where its jump leads.
  std::vector<InstructionFacts> facts;
  std::vector<std::uint32_t> targets;
};

// The program is one that ran through check() or was refused nothing by a machine's load. Runs are
// those of packets: r1 holds the address of a UserContext. O(n) for the joins of a few ways, O(n *
// ways) when many meet.
AccessProof prove_packet_accesses(const Program& program);

}  // namespace weir::ebpf
