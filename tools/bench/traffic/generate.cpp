// The generated mix. Headers are right in every field a filter looks at; checksums are left 0.
#include <algorithm>

#include "tools/bench/traffic/random.h"
#include "tools/bench/traffic/traffic.h"

namespace weir::bench {
namespace {

constexpr std::uint16_t kEtherIp = 0x0800;
constexpr std::uint16_t kEtherArp = 0x0806;
constexpr std::uint16_t kEtherVlan = 0x8100;
constexpr std::uint16_t kEtherIp6 = 0x86dd;
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp6 = 58;

class Writer {
 public:
  explicit Writer(std::vector<std::uint8_t>& out) : out_(out) { out_.clear(); }
  void u8(std::uint32_t v) { out_.push_back(static_cast<std::uint8_t>(v)); }
  void u16(std::uint32_t v) {
    u8(v >> 8);
    u8(v);
  }
  void u32(std::uint32_t v) {
    u16(v >> 16);
    u16(v);
  }
  void zeros(std::size_t n) { out_.insert(out_.end(), n, 0); }
  std::size_t size() const { return out_.size(); }

 private:
  std::vector<std::uint8_t>& out_;
};

std::uint32_t random_host(Random& random) {
  const std::uint32_t kind = random.below(10);
  const auto low = static_cast<std::uint32_t>(random.next());
  if (kind < 4) {
    return 0x0a000000 | (low & 0x00ffffff);
  }
  if (kind < 6) {
    return 0xc0a80000 | (low & 0x1ff);  // 192.168.0.0/23, 192.168.1.1 among them.
  }
  return low;
}

std::uint32_t random_port(Random& random) {
  constexpr std::uint32_t kFavourites[] = {80, 443, 53, 22, 8080, 123, 25, 4789};
  return random.chance(60) ? kFavourites[random.below(8)] : 1024 + random.below(64512);
}

void write_mac(Random& random, Writer& out) {
  out.u16(0x0200 | random.below(4));
  out.u32(static_cast<std::uint32_t>(random.next()));
}

// The transport header; returns its length.
std::uint32_t write_transport(Random& random, Writer& out, std::uint8_t protocol,
                              std::uint32_t length) {
  const std::size_t begin = out.size();
  if (protocol == kTcp) {
    constexpr std::uint8_t kFlags[] = {0x10, 0x10, 0x18, 0x18, 0x02, 0x12, 0x11, 0x04};
    out.u16(random_port(random));
    out.u16(random_port(random));
    out.u32(static_cast<std::uint32_t>(random.next()));
    out.u32(static_cast<std::uint32_t>(random.next()));
    out.u8(0x50);
    out.u8(kFlags[random.below(8)]);
    out.u16(random.below(65536));
    out.u32(0);
  } else if (protocol == kUdp) {
    out.u16(random_port(random));
    out.u16(random_port(random));
    out.u16(length);
    out.u16(0);
  } else {
    out.u8(random.chance(50) ? 8 : 0);
    out.u8(0);
    out.u16(0);
    out.u32(static_cast<std::uint32_t>(random.next()));
  }
  return static_cast<std::uint32_t>(out.size() - begin);
}

void write_ip4(Random& random, Writer& out, std::uint32_t length) {
  const std::uint32_t kind = random.below(100);
  const std::uint8_t protocol = kind < 70 ? kTcp : kind < 93 ? kUdp : kIcmp;
  const bool options = random.chance(3);
  const std::uint32_t header = options ? 24 : 20;
  out.u8(0x40 | header / 4);
  out.u8(random.chance(10) ? 0xb8 : 0);
  out.u16(std::max(length, header + 8));
  out.u16(random.below(65536));
  const bool fragment = random.chance(2);
  out.u16(fragment ? 1 + random.below(180) : 0x4000);
  out.u8(random.chance(5) ? 1 + random.below(4) : 64);
  out.u8(protocol);
  out.u16(0);
  out.u32(random_host(random));
  out.u32(random_host(random));
  if (options) {
    out.u32(0x94040000);  // Router alert.
  }
  write_transport(random, out, protocol, std::max(length, header + 8) - header);
}

void write_ip6(Random& random, Writer& out, std::uint32_t length) {
  const std::uint32_t kind = random.below(100);
  const std::uint8_t protocol = kind < 65 ? kTcp : kind < 90 ? kUdp : kIcmp6;
  const bool extended = random.chance(5);  // A hop-by-hop header in front.
  out.u32(0x60000000);
  out.u16(length > 40 ? length - 40 : 8);
  out.u8(extended ? 0 : protocol);
  out.u8(64);
  for (int side = 0; side < 2; ++side) {
    out.u32(0x20010db8);
    out.u32(random.below(16));
    out.u32(0);
    out.u32(1 + random.below(64));
  }
  if (extended) {
    out.u8(protocol);
    out.u8(0);
    out.u16(0x0104);
    out.u32(0);
  }
  write_transport(random, out, protocol, length > 40 ? length - 40 : 8);
}

void write_arp(Random& random, Writer& out) {
  out.u16(1);
  out.u16(kEtherIp);
  out.u16(0x0604);
  out.u16(1 + random.below(2));
  for (int side = 0; side < 2; ++side) {
    write_mac(random, out);
    out.u32(random_host(random));
  }
}

std::uint32_t random_size(Random& random, FrameSizes sizes) {
  const std::uint32_t kind = random.below(12);
  const bool imix = sizes == FrameSizes::kImix;
  return kind < 7 ? 64 : kind < 11 ? (imix ? 576 : 96) : imix ? 1500 : 128;
}

}  // namespace

Traffic generate_mix(std::uint64_t seed, std::size_t count, FrameSizes sizes) {
  Random random(seed);
  TrafficBuilder traffic;
  std::vector<std::uint8_t> packet;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t size = random_size(random, sizes);
    Writer out(packet);
    write_mac(random, out);
    write_mac(random, out);
    if (random.chance(10)) {
      out.u16(kEtherVlan);
      out.u16(1 + random.below(200));
    }
    const std::uint32_t kind = random.below(100);
    const std::uint32_t rest = size - static_cast<std::uint32_t>(out.size()) - 2;
    if (kind < 75) {
      out.u16(kEtherIp);
      write_ip4(random, out, rest);
    } else if (kind < 95) {
      out.u16(kEtherIp6);
      write_ip6(random, out, rest);
    } else {
      out.u16(kEtherArp);
      write_arp(random, out);
    }
    if (packet.size() < size) {
      out.zeros(size - packet.size());
    }
    traffic.add(packet, static_cast<std::uint32_t>(packet.size()));
  }
  return std::move(traffic).finish("generated mix", 1);
}

}  // namespace weir::bench
