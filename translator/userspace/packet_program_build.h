// The first pass on the way to a packet form: each instruction becomes an operation with what is
// known of it, alone or together with the one in front of it.
//
// Pointers into the packet are its start and a number where the proof says so; an exit whose
// verdict is known is a verdict, and a jump to one leads to a verdict after all others. Whether the
// result of an operation is used is left to packet_program.cpp, which also makes
// tests of loads and compares. Price: O(n).
#pragma once

#include <cstdint>
#include <vector>

#include "translator/userspace/packet_program.h"

namespace weir::ebpf {

struct PacketSteps {
  std::vector<PacketOp> ops;  // is_target and target are set.
  // From here on there are the verdicts that jumps lead to, each value once.
  std::uint32_t first_verdict = 0;
};

// The proof is one packet_program() takes.
PacketSteps packet_steps(const Program& program, const AccessProof& proof);

// Whether `target` means something.
bool jumps(const PacketOp& op);

}  // namespace weir::ebpf
