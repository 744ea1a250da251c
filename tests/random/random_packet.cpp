#include "tests/random/random_packet.h"

#include <algorithm>

namespace weir::random {
namespace {

constexpr std::size_t kMaxBytes = 300;

void put8(std::vector<std::uint8_t>& out, std::uint32_t value) {
  out.push_back(static_cast<std::uint8_t>(value));
}
void put16(std::vector<std::uint8_t>& out, std::uint32_t value) {
  put8(out, value >> 8);
  put8(out, value);
}
void put32(std::vector<std::uint8_t>& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value);
}
void put_noise(std::vector<std::uint8_t>& out, Choices& choices, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    put8(out, choices.any());
  }
}

std::uint32_t random_address(Choices& choices) {
  return choices.pick<std::uint32_t>(
      {0x0a000001, 0x0a000002, 0xc0a80101, 0xc0a80102, 0xe0000001, 0xffffffff, 0x7f000001});
}
std::uint32_t random_port(Choices& choices) {
  return choices.pick<std::uint32_t>({80, 443, 53, 22, 1024, 65535, 0, 8080});
}

void put_transport(std::vector<std::uint8_t>& out, Choices& choices, std::uint32_t protocol) {
  switch (protocol) {
    case 6: {
      put16(out, random_port(choices));
      put16(out, random_port(choices));
      put32(out, choices.any());
      put32(out, choices.any());
      put8(out, choices.pick<std::uint32_t>({0x50, 0x60, 0x80, 0xf0, 0x00}));
      put8(out, choices.pick<std::uint32_t>({0x02, 0x12, 0x10, 0x11, 0x04, 0x18, 0xff}));
      put16(out, choices.any());
      put32(out, 0);
      break;
    }
    case 17:
      put16(out, random_port(choices));
      put16(out, random_port(choices));
      put16(out, 8 + choices.below(20));
      put16(out, 0);
      break;
    default:
      put8(out, choices.pick<std::uint32_t>({0, 8, 3, 128, 135}));
      put8(out, choices.below(4));
      put16(out, choices.any());
      break;
  }
  put_noise(out, choices, choices.below(24));
}

void put_ipv4(std::vector<std::uint8_t>& out, Choices& choices) {
  const std::uint32_t options = choices.chance(25) ? choices.below(11) : 0;
  const std::uint32_t protocol = choices.pick<std::uint32_t>({6, 17, 1, 51, 4, 132});
  put8(out, 0x45 + options);
  put8(out, 0);
  put16(out, 20 + choices.below(100));
  put16(out, choices.any());
  put16(out, choices.pick<std::uint32_t>({0, 0x4000, 0, 0x2000, 0x2010, 0x0010}));
  put8(out, 64);
  put8(out, protocol);
  put16(out, 0);
  put32(out, random_address(choices));
  put32(out, random_address(choices));
  put_noise(out, choices, options * 4);
  put_transport(out, choices, protocol);
}

void put_ipv6_address(std::vector<std::uint8_t>& out, Choices& choices) {
  put32(out, choices.pick<std::uint32_t>({0x20010db8, 0xfe800000, 0xff020000}));
  put32(out, 0);
  put32(out, 0);
  put32(out, choices.below(3));
}

void put_ipv6(std::vector<std::uint8_t>& out, Choices& choices) {
  const std::uint32_t extensions = choices.chance(30) ? 1 + choices.below(3) : 0;
  const std::uint32_t protocol = choices.pick<std::uint32_t>({6, 17, 58});
  constexpr std::uint32_t kExtensions[] = {0, 60, 43};
  put32(out, 0x60000000);
  put16(out, choices.below(100));
  put8(out, extensions > 0 ? kExtensions[0] : protocol);
  put8(out, 64);
  put_ipv6_address(out, choices);
  put_ipv6_address(out, choices);
  for (std::uint32_t i = 0; i < extensions; ++i) {
    put8(out, i + 1 < extensions ? kExtensions[i + 1] : protocol);
    put8(out, 0);
    put_noise(out, choices, 6);
  }
  put_transport(out, choices, protocol);
}

std::vector<std::uint8_t> frame(Choices& choices) {
  std::vector<std::uint8_t> out;
  put16(out, choices.pick<std::uint32_t>({0x0200, 0xffff, 0x0100}));
  put32(out, choices.below(3));
  put16(out, 0x0200);
  put32(out, choices.below(3));
  for (std::uint32_t tags = choices.chance(20) ? 1 + choices.below(2) : 0; tags > 0; --tags) {
    put16(out, choices.pick<std::uint32_t>({0x8100, 0x88a8, 0x9100}));
    put16(out, choices.pick<std::uint32_t>({100, 1, 0x2064, 0xffff}));
  }
  switch (choices.below(8)) {
    case 0:
    case 1:
    case 2:
    case 3:
      put16(out, 0x0800);
      put_ipv4(out, choices);
      break;
    case 4:
    case 5:
      put16(out, 0x86dd);
      put_ipv6(out, choices);
      break;
    case 6:
      put16(out, 0x0806);
      put32(out, 0x00010800);
      put32(out, 0x06040001);
      put_noise(out, choices, 6);
      put32(out, random_address(choices));
      put_noise(out, choices, 6);
      put32(out, random_address(choices));
      break;
    default:
      put16(out, choices.pick<std::uint32_t>({0x0026, 0x8847, 0x8863, 0x05ff, 0xffff}));
      put_noise(out, choices, choices.below(60));
      break;
  }
  return out;
}

cbpf::Ancillary random_ancillary(Choices& choices) {
  cbpf::Ancillary ancillary;
  for (std::uint32_t number = 0; number <= 60; number += 4) {
    if (choices.chance(50)) {
      ancillary.set(static_cast<cbpf::Extension>(number),
                    choices.pick<std::uint32_t>({0, 1, 2, 100, 0x0800, 0x8100, choices.any()}));
    }
  }
  return ancillary;
}

}  // namespace

RandomPacket random_packet(Choices& choices, const PacketOptions& options) {
  RandomPacket packet;
  if (!options.whole && choices.chance(5)) {
    put_noise(packet.bytes, choices, choices.below(kMaxBytes));
  } else {
    packet.bytes = frame(choices);
  }
  for (std::uint32_t n = !options.whole && choices.chance(15) ? 1 + choices.below(4) : 0;
       n > 0 && !packet.bytes.empty(); --n) {
    packet.bytes[choices.below(static_cast<std::uint32_t>(packet.bytes.size()))] =
        static_cast<std::uint8_t>(choices.any());
  }
  packet.bytes.resize(std::min(packet.bytes.size(), kMaxBytes));
  packet.wire_length = static_cast<std::uint32_t>(packet.bytes.size());
  if (!options.whole && choices.chance(35)) {
    packet.bytes.resize(choices.below(packet.wire_length + 1));
  }
  packet.bytes.resize(std::max<std::size_t>(packet.bytes.size(), options.min_length));
  packet.wire_length = std::max(options.truncate ? packet.wire_length : 0,
                                static_cast<std::uint32_t>(packet.bytes.size()));
  if (options.ancillary) {
    packet.ancillary = random_ancillary(choices);
  }
  return packet;
}

}  // namespace weir::random
