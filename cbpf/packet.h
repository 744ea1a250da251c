// A packet as a filter sees it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "cbpf/base/bytes.h"
#include "cbpf/instruction.h"

namespace weir::cbpf {

// What a hook can tell of a packet beside its bytes, one value an extension. An extension that is
// not known is absent; a program that reads an absent one is refused before it runs, never answered
// with a silent 0.
class Ancillary {
 public:
  void set(Extension extension, std::uint32_t value) {
    values_[index(extension)] = value;
    known_ |= bit(extension);
  }
  std::optional<std::uint32_t> get(Extension extension) const {
    if ((known_ & bit(extension)) == 0) {
      return std::nullopt;
    }
    return values_[index(extension)];
  }
  // A set of extensions as a mask, bit SKF_AD number / 4.
  std::uint32_t known() const { return known_; }
  static constexpr std::uint32_t bit(Extension extension) { return 1U << index(extension); }
  static constexpr std::uint32_t index(Extension extension) {
    return static_cast<std::uint32_t>(extension) / 4;
  }

 private:
  std::array<std::uint32_t, 16> values_{};
  std::uint32_t known_ = 0;
};

// Loads are bounded by the captured bytes; `len` is the wire length. Nothing is owned.
struct Packet {
  Bytes captured;
  std::uint32_t wire_length = 0;
  const Ancillary* ancillary = nullptr;  // Null: nothing is known.
  // Where the network layer begins, for loads at kNetworkOffset in the Linux dialect; what
  // network_offset() of link_layer.h says of the packet's link type. Ethernet's unless set.
  std::uint32_t network_offset = 14;
};

}  // namespace weir::cbpf
