// Random extended programs that any machine must run alike, the kernel's included: they read the
// packet by legacy loads, have every register and the stack they use filled, and go forward only.
#pragma once

#include "tests/random/choices.h"
#include "translator/ebpf/program.h"

namespace weir::vm {

struct RandomOptions {
  std::uint32_t operations = 40;
  // What Linux 6.1 lacks: sdiv, smod, movsx, sign-extending loads, bswap, gotol.
  bool version4 = true;
  // Conditional jumps, and atomic operations that fetch. The verifier of Linux 6.18 gets wrong what
  // follows them together: after a fetch from the stack it may take a condition for decided that is
  // not (seen with a 64-bit compare-and-exchange behind two branches), and removes code that is
  // alive.
  bool jumps = true;
  bool fetches = true;
};

// Reads the first kRandomPacketBytes of the packet (a shorter one ends it with 0), then does what
// it does with them in r0 to r9 and the 32 bytes below r10; r0 at the end is a sum of it all.
inline constexpr std::size_t kRandomPacketBytes = 24;
ebpf::Program random_extended(random::Choices& choices, const RandomOptions& options = {});

}  // namespace weir::vm
