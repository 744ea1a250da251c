// Random packets that look enough like traffic for filters to have something to find.
#pragma once

#include <cstdint>
#include <vector>

#include "cbpf/packet.h"
#include "tests/random/choices.h"

namespace weir::random {

struct RandomPacket {
  std::vector<std::uint8_t> bytes;  // The captured ones.
  std::uint32_t wire_length = 0;
  cbpf::Ancillary ancillary;

  // Points into this object.
  cbpf::Packet view() const {
    return {.captured = bytes, .wire_length = wire_length, .ancillary = &ancillary};
  }
};

struct PacketOptions {
  // Whether the wire length may be more than what was captured. Off for engines that run on whole
  // packets only.
  bool truncate = true;
  bool whole = false;            // No packet is cut short, damaged or noise.
  std::uint32_t min_length = 0;  // Shorter packets are filled up with zeros (Ethernet hooks: 14).
  // Whether extensions are known, each one with a chance of a half.
  bool ancillary = false;
};

// An Ethernet frame: VLAN tags, IPv4 with options and fragments, IPv6 with extension headers, ARP,
// TCP, UDP, ICMP from a small set of addresses and ports; sometimes cut short anywhere, sometimes
// with bytes overwritten, sometimes noise. At most 300 bytes.
RandomPacket random_packet(Choices& choices, const PacketOptions& options = {});

}  // namespace weir::random
