// A tun or tap interface: an interface whose wire is a descriptor of the test's own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cbpf/base/bytes.h"
#include "cbpf/base/fd.h"

namespace weir::testing {

enum class TunKind : std::uint8_t { kTun, kTap };

// Up, without addresses, and gone at the end of its life.
class TunInterface {
 public:
  // `hardware_type` (ARPHRD_*) takes the place of the kind's own unless it is 0.
  TunInterface(std::string name, TunKind kind, std::uint16_t hardware_type = 0);

  // False where the machine has no /dev/net/tun.
  static bool available();

  const std::string& name() const { return name_; }
  // The packet arrives at the interface: from its IP header on (tun) or its Ethernet header (tap).
  void receive(Bytes packet) const;

 private:
  std::string name_;
  Fd fd_;
};

// An IPv4 UDP packet without payload from 10.9.0.2 to 10.9.0.1; IP header first.
std::vector<std::uint8_t> udp_packet(std::uint16_t port);

// An IPv4 packet in an Ethernet frame, to everyone or to that address; with a VLAN tag (priority
// and number) unless it is 0.
std::vector<std::uint8_t> in_ethernet(
    const std::vector<std::uint8_t>& packet,
    const std::vector<std::uint8_t>& to = std::vector<std::uint8_t>(6, 0xff),
    std::uint16_t tag = 0);

}  // namespace weir::testing
