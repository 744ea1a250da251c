// Filters as one would write them in C++, in the loop over the packets: what a compiler makes of
// them is the yardstick of machine code that is made from an expression.
#pragma once

#include <cstdint>
#include <span>

#include "cbpf/base/bytes.h"
#include "translator/userspace/run.h"

namespace weir::written {

inline constexpr std::uint32_t kMatch = 262144;  // What tcpdump takes of a packet.

using Batch = void (*)(std::span<const ebpf::UserPacket> packets, std::uint32_t* verdicts);

// Each packet's verdict is kMatch where filter(data, captured) holds, else 0.
template <typename Filter>
void run(std::span<const ebpf::UserPacket> packets, std::uint32_t* verdicts, Filter filter) {
  for (const ebpf::UserPacket& packet : packets) {
    *verdicts++ = filter(packet.data, packet.captured) ? kMatch : 0;
  }
}

constexpr std::uint32_t kIpv4 = 0x0800;
constexpr std::uint32_t kIpv6 = 0x86dd;
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

// The type of an Ethernet frame; 0 where there is none.
inline std::uint32_t type_of(const std::uint8_t* p, std::uint32_t captured) {
  return captured >= 14 ? load_be16(p + 12) : 0;
}

// Whether one of the ports behind `at` is this one, the source being asked first.
inline bool has_port(const std::uint8_t* p, std::uint32_t captured, std::uint32_t at,
                     std::uint32_t port) {
  return captured >= at + 2 &&
         (load_be16(p + at) == port || (captured >= at + 4 && load_be16(p + at + 2) == port));
}

// Where the packet of this protocol over IPv4 begins; 0 where there is none, or a later fragment.
inline std::uint32_t ipv4_payload(const std::uint8_t* p, std::uint32_t captured,
                                  std::uint8_t protocol) {
  if (captured < 24 || p[23] != protocol || (load_be16(p + 20) & 0x1fff) != 0) {
    return 0;
  }
  return 14 + 4 * (p[14] & 0xfU);
}

// ip
inline void ip(std::span<const ebpf::UserPacket> packets, std::uint32_t* verdicts) {
  run(packets, verdicts,
      [](const std::uint8_t* p, std::uint32_t captured) { return type_of(p, captured) == kIpv4; });
}

// tcp port 80
inline void tcp_port_80(std::span<const ebpf::UserPacket> packets, std::uint32_t* verdicts) {
  run(packets, verdicts, [](const std::uint8_t* p, std::uint32_t captured) {
    const std::uint32_t type = type_of(p, captured);
    if (type == kIpv4) {
      const std::uint32_t at = ipv4_payload(p, captured, kTcp);
      return at != 0 && has_port(p, captured, at, 80);
    }
    return type == kIpv6 && captured >= 21 && p[20] == kTcp && has_port(p, captured, 54, 80);
  });
}

// tcp[tcpflags] & tcp-syn != 0 and net 10.0.0.0/8
inline void syn_and_net(std::span<const ebpf::UserPacket> packets, std::uint32_t* verdicts) {
  run(packets, verdicts, [](const std::uint8_t* p, std::uint32_t captured) {
    if (type_of(p, captured) != kIpv4) {
      return false;
    }
    const std::uint32_t at = ipv4_payload(p, captured, kTcp);
    return at != 0 && captured >= at + 14 && (p[at + 13] & 2) != 0 && captured >= 30 &&
           (p[26] == 10 || (captured >= 34 && p[30] == 10));
  });
}

// (tcp port 443 and ip6) or udp port 53 or icmp
inline void mix_of_three(std::span<const ebpf::UserPacket> packets, std::uint32_t* verdicts) {
  run(packets, verdicts, [](const std::uint8_t* p, std::uint32_t captured) {
    const std::uint32_t type = type_of(p, captured);
    if (type == kIpv4) {
      if (captured >= 24 && p[23] == kIcmp) {
        return true;
      }
      const std::uint32_t at = ipv4_payload(p, captured, kUdp);
      return at != 0 && has_port(p, captured, at, 53);
    }
    return type == kIpv6 && captured >= 21 &&
           ((p[20] == kTcp && has_port(p, captured, 54, 443)) ||
            (p[20] == kUdp && has_port(p, captured, 54, 53)));
  });
}

}  // namespace weir::written
