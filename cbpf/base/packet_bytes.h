// A packet as the loops over many packets take it.
#pragma once

#include <cstdint>

#include "cbpf/base/bytes.h"

namespace weir {

// Where a packet is, and nothing else of it, so that four fit into a cache line. Generated code
// knows the offsets of the fields. Nothing is owned.
struct PacketBytes {
  const std::uint8_t* data = nullptr;
  std::uint32_t captured = 0;  // Bytes at `data`.
  std::uint32_t length = 0;    // Wire length.

  Bytes bytes() const { return {data, captured}; }
};
static_assert(sizeof(PacketBytes) == 16);

}  // namespace weir
