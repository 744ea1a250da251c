// Makes a disagreement small enough to read.
#pragma once

#include <functional>
#include <vector>

#include "tests/engines/judge.h"

namespace weir::judge {

// A case and a packet that still disagree.
struct Shrunk {
  Case subject;
  std::vector<std::uint8_t> bytes;
  std::uint32_t wire_length = 0;
  cbpf::Ancillary ancillary;

  // Points into this object.
  cbpf::Packet packet() const { return {bytes, wire_length, &ancillary}; }
};

using Disagrees = std::function<bool(const Case&, const cbpf::Packet&)>;

// Tries to end the program early, to drop instructions, to cut the packet and to zero its bytes,
// and keeps whatever still disagrees. Bounded: at most a few thousand trials.
Shrunk shrink(const Case& subject, const cbpf::Packet& packet, const Disagrees& disagrees);

}  // namespace weir::judge
