// What is known of a link type (DLT_*) without looking at a packet.
#pragma once

#include <cstdint>
#include <optional>

namespace weir::cbpf {

// A place no load can reach.
inline constexpr std::uint32_t kNoNetworkOffset = 0xffffffff;

// The length in bytes of the link type's header where every packet has the same, so that the
// network layer begins there: 14 for Ethernet (a VLAN tag counts as network layer), 0 for raw IP,
// 16 for Linux cooked captures. Nothing when it varies (802.11, PPP) or is not known.
//
// Source: the link-layer header types page of tcpdump.org.
std::optional<std::uint32_t> link_header_length(int link_type);

// The same as a value of Packet::network_offset: kNoNetworkOffset when it varies.
inline std::uint32_t network_offset(int link_type) {
  return link_header_length(link_type).value_or(kNoNetworkOffset);
}

}  // namespace weir::cbpf
