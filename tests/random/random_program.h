// Random classic programs that validate() takes and that do not end at their first instruction.
#pragma once

#include <cstdint>
#include <string>

#include "cbpf/program.h"
#include "tests/random/choices.h"

namespace weir::random {

struct ProgramOptions {
  std::uint32_t max_instructions = 40;  // At least 2.
  // Extensions it may read, as a mask of cbpf::Ancillary::bit. kAluXorX among them.
  std::uint32_t extensions = 0;
  bool loops = true;  // Backward `ja`; never in the Linux dialect.
  // Most loads are at X, which is another number plus a constant near or past 2^29.
  bool extreme_offsets = false;
};

// A program of the dialect: loads at places where packets have something, at their ends and far
// beyond, through MSH and X, all arithmetic, scratch memory, jumps of every kind, and loops.
cbpf::Program random_program(Choices& choices, cbpf::Dialect dialect,
                             const ProgramOptions& options = {});

// The program as tcpdump -ddd writes it, for the message of a test that failed.
std::string to_text(const cbpf::Program& program);

}  // namespace weir::random
