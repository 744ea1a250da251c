// A random program and packets that know everything it reads, for the tests of IR and passes.
#pragma once

#include <cstdint>
#include <utility>

#include "cbpf/validate.h"
#include "tests/random/choices.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"

namespace weir::ir {

// Every extension; a pass may drop one that is read in vain, so packets must not lack any.
inline constexpr std::uint32_t kAllExtensions = 0xffff;

inline cbpf::ValidatedProgram random_subject(random::Choices& choices, cbpf::Dialect dialect) {
  cbpf::Program program = random_program(choices, dialect, {.extensions = kAllExtensions});
  return cbpf::validate(std::move(program), dialect).value();
}

inline random::RandomPacket knowing_packet(random::Choices& choices) {
  random::RandomPacket packet = random_packet(choices);
  for (std::uint32_t i = 0; i < 16; ++i) {
    packet.ancillary.set(static_cast<cbpf::Extension>(4 * i), choices.any());
  }
  return packet;
}

}  // namespace weir::ir
