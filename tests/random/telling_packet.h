// Packets that have the numbers a program looks for, where it looks for them: where programs part,
// such a packet shows it sooner than a random one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cbpf/program.h"
#include "tests/random/choices.h"
#include "tests/random/random_packet.h"

namespace weir::random {

// What a program compares a field of the packet with.
struct Field {
  std::size_t at = 0;
  bool behind_header = false;  // Counted from where the length in byte 14, IPv4's, says.
  std::size_t width = 0;
  std::uint32_t number = 0;
};

std::vector<Field> compared_fields(const cbpf::Program& program);

// A packet that has some or nearly all of the numbers, cut off anywhere.
RandomPacket telling_packet(const std::vector<Field>& fields, Choices& choices);

}  // namespace weir::random
