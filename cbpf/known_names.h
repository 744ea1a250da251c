// The well-known names of protocols and services, built in: they mean the same on every machine.
// (The names of EtherTypes and of LLC service access points are built into libpcap.)
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::cbpf {

// IANA's number of an IP protocol: "ospf" is 89. Case counts; "OSPFIGP" is a name of its own.
// (mptcp is 262, as in /etc/protocols, which no packet has.) O(log n).
std::optional<std::uint16_t> known_protocol(std::string_view name);

enum class Transport : std::uint8_t { kTcp, kUdp };

// The port of a service over that transport, host order: "http" is 80 over TCP, and no UDP service.
// O(log n).
std::optional<std::uint16_t> known_port(std::string_view name, Transport transport);

// Whether the name is a service's over any transport.
bool is_known_service(std::string_view name);

}  // namespace weir::cbpf
