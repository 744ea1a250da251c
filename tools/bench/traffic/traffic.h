// Traffic to measure with: packets in memory, from savefiles or made up.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/packet.h"

namespace weir::bench {

// Packets and the memory they stand in. The packets of one Traffic have one link type.
struct Traffic {
  std::string source;  // For people: file names, or how it was made.
  int link_type = 1;
  std::vector<std::uint8_t> memory;   // All captured bytes, one packet behind the other.
  std::vector<cbpf::Packet> packets;  // Into `memory`.
  std::uint64_t bytes() const;        // Sum of the wire lengths.
};

// Appends packets one by one; their spans are only made by finish(), when the memory has its place.
class TrafficBuilder {
 public:
  void add(Bytes captured, std::uint32_t wire_length);
  std::size_t size() const { return ends_.size(); }
  Traffic finish(std::string source, int link_type) &&;

 private:
  std::vector<std::uint8_t> memory_;
  std::vector<std::size_t> ends_;
  std::vector<std::uint32_t> wire_lengths_;
};

// Reads savefiles that share a link type, at most `most` packets. Their errors are those of
// cbpf/savefile/reader.h; kUnsupported when the link types differ.
Result<Traffic> read_traffic(const std::vector<std::string>& files, std::size_t most);

// Ethernet traffic as another link type would show it: DLT_RAW (its IP packets without the link
// layer), DLT_LINUX_SLL (all of it, behind that header). kUnsupported for any other link type.
Result<Traffic> as_link_type(const Traffic& ethernet, int link_type);

// The same Ethernet packets, `percent` of the IPv4 ones with one of the addresses as their source
// or destination, drawn from the seed. In host order; at least one unless the share is 0.
Traffic with_hosts(const Traffic& traffic, std::span<const std::uint32_t> hosts,
                   std::uint32_t percent, std::uint64_t seed);

// How long the frames of a generated mix are.
enum class FrameSizes : std::uint8_t {
  kHeaders,  // 64, 96 and 128 bytes (7 : 4 : 1): what a filter looks at, and little else to cache.
  kImix,     // 64, 576 and 1500 bytes (7 : 4 : 1), as on the Internet.
};

// Makes `count` Ethernet packets, the same for the same seed on every machine: a mix of TCP, UDP,
// ICMP and ARP over IPv4 and IPv6, some in VLANs, some fragments, hosts and ports drawn from pools
// with a few favourites (ports 53, 80, 443; 10.0.0.0/8, 192.168.0.0/23).
Traffic generate_mix(std::uint64_t seed, std::size_t count,
                     FrameSizes sizes = FrameSizes::kHeaders);

}  // namespace weir::bench
