#include "cbpf/savefile/host_order.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "cbpf/base/bytes.h"

namespace weir::cbpf {
namespace {

enum LinkType : int {
  kLinuxSll = 113,
  kPflog = 117,
  kUsbLinux = 189,
  kUsbLinuxMmapped = 220,
  kNflog = 239,
  kLinuxSll2 = 276,
};

using Packet = std::span<std::uint8_t>;

// False when the field is not captured whole.
bool swap_field(Packet packet, std::size_t offset, std::size_t width) {
  if (packet.size() < offset + width) {
    return false;
  }
  std::reverse(packet.data() + offset, packet.data() + offset + width);
  return true;
}

std::uint16_t load_own16(const std::uint8_t* p) {
  std::uint16_t value = 0;
  std::memcpy(&value, p, sizeof value);
  return value;
}

std::uint32_t load_own32(const std::uint8_t* p) {
  std::uint32_t value = 0;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// The ids of the user and the process, and those of the rule's; older headers end before them.
void swap_pflog(Packet packet) {
  constexpr std::size_t kIds = 44;
  constexpr std::size_t kIdsEnd = 60;
  const std::size_t header = packet.empty() ? 0 : packet[0];
  for (std::size_t offset = kIds; offset < kIdsEnd && header >= offset + 4; offset += 4) {
    if (!swap_field(packet, offset, 4)) {
      return;
    }
  }
}

// A CAN id comes first in what follows the cooked header.
void swap_cooked_can(Packet packet, std::size_t protocol_offset, std::size_t header) {
  constexpr std::uint32_t kCan = 0x000c;
  constexpr std::uint32_t kCanFd = 0x000d;
  if (packet.size() < header) {
    return;
  }
  const std::uint32_t protocol = load_be16(packet.data() + protocol_offset);
  if (protocol == kCan || protocol == kCanFd) {
    swap_field(packet, header, 4);
  }
}

// Each isochronous descriptor: status, offset and length of four bytes, and padding.
void swap_usb_descriptors(Packet packet, std::size_t offset, std::uint32_t count) {
  constexpr std::size_t kDescriptor = 16;
  for (std::uint32_t i = 0; i < count; ++i, offset += kDescriptor) {
    for (std::size_t field = 0; field < 12; field += 4) {
      if (!swap_field(packet, offset + field, 4)) {
        return;
      }
    }
  }
}

void swap_usb(Packet packet, bool mapped) {
  struct Field {
    std::size_t offset;
    std::size_t width;
  };
  // The id, the bus, seconds and microseconds, the status and the two lengths.
  constexpr Field kFields[] = {{0, 8}, {12, 2}, {16, 8}, {24, 4}, {28, 4}, {32, 4}, {36, 4}};
  constexpr std::size_t kTransferType = 9;
  constexpr std::uint8_t kIsochronous = 0;
  constexpr std::size_t kDescriptorCount = 60;
  constexpr std::size_t kMappedEnd = 64;
  for (const Field& field : kFields) {
    if (!swap_field(packet, field.offset, field.width)) {
      return;
    }
  }
  const bool isochronous = packet[kTransferType] == kIsochronous;
  // Errors and descriptors of an isochronous transfer; a setup packet of bytes otherwise.
  if (isochronous && (!swap_field(packet, 40, 4) || !swap_field(packet, 44, 4))) {
    return;
  }
  if (!mapped) {
    return;
  }
  for (std::size_t offset = 48; offset < kMappedEnd; offset += 4) {
    if (!swap_field(packet, offset, 4)) {
      return;
    }
  }
  if (isochronous) {
    swap_usb_descriptors(packet, kMappedEnd, load_own32(packet.data() + kDescriptorCount));
  }
}

// Lengths and types of the values after the header.
void swap_nflog(Packet packet, std::uint32_t wire_length) {
  constexpr std::size_t kHeader = 4;
  constexpr std::size_t kVersion = 1;
  constexpr std::size_t kLeast = 4;
  if (packet.size() < kHeader || wire_length < kHeader || packet[kVersion] != 0) {
    return;
  }
  std::size_t wire = wire_length - kHeader;
  packet = packet.subspan(kHeader);
  while (packet.size() >= kLeast) {
    swap_field(packet, 0, 2);
    swap_field(packet, 2, 2);
    // The padded length is one of 16 bits.
    const auto size =
        static_cast<std::uint16_t>((load_own16(packet.data()) + std::uint32_t{3}) & ~3U);
    if (size < kLeast || packet.size() < size || wire < size) {
      return;
    }
    packet = packet.subspan(size);
    wire -= size;
  }
}

}  // namespace

bool has_host_order_header(int dlt) {
  switch (dlt) {
    case kLinuxSll:
    case kLinuxSll2:
    case kPflog:
    case kUsbLinux:
    case kUsbLinuxMmapped:
    case kNflog:
      return true;
    default:
      return false;
  }
}

void swap_host_order_header(int dlt, std::span<std::uint8_t> packet, std::uint32_t wire_length) {
  // A field past the end of the packet as it was on the wire is none.
  const Packet sent = packet.first(std::min<std::size_t>(packet.size(), wire_length));
  switch (dlt) {
    case kLinuxSll:
      return swap_cooked_can(sent, 14, 16);
    case kLinuxSll2:
      return swap_cooked_can(sent, 0, 20);
    case kPflog:
      return swap_pflog(sent);
    case kUsbLinux:
      return swap_usb(packet, false);
    case kUsbLinuxMmapped:
      return swap_usb(packet, true);
    case kNflog:
      return swap_nflog(packet, wire_length);
    default:
      return;
  }
}

}  // namespace weir::cbpf
