// The packets the judge hears.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cbpf/packet.h"

namespace weir::judge {

// Packets of one link type and the memory they stand in.
struct PacketSet {
  std::vector<std::vector<std::uint8_t>> memory;
  std::vector<std::uint32_t> wire_lengths;

  void add(Bytes captured, std::uint32_t wire_length);
  std::vector<cbpf::Packet> view() const;
};

// Every packet of every file in pcaps/, by link type (DLT_*). A test failure when there is none.
std::map<int, PacketSet> all_captures();

// Every prefix of every packet, once with the wire length of the whole and once with its own.
PacketSet all_prefixes(const std::vector<cbpf::Packet>& packets);

}  // namespace weir::judge
