#include "tests/kernel/tun.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "tests/kernel/network.h"

namespace weir::testing {

TunInterface::TunInterface(std::string name, TunKind kind, std::uint16_t hardware_type)
    : name_(std::move(name)), fd_(open("/dev/net/tun", O_RDWR | O_CLOEXEC)) {
  EXPECT_TRUE(fd_.valid()) << std::strerror(errno);
  ifreq request{};
  name_.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>((kind == TunKind::kTun ? IFF_TUN : IFF_TAP) | IFF_NO_PI);
  EXPECT_EQ(ioctl(fd_.get(), TUNSETIFF, &request), 0) << std::strerror(errno);
  if (hardware_type != 0) {
    EXPECT_EQ(ioctl(fd_.get(), TUNSETLINK, static_cast<unsigned long>(hardware_type)), 0);
  }
  run("ip link set " + name_ + " up");
}

bool TunInterface::available() { return access("/dev/net/tun", R_OK | W_OK) == 0; }

void TunInterface::receive(Bytes packet) const {
  EXPECT_EQ(write(fd_.get(), packet.data(), packet.size()), static_cast<ssize_t>(packet.size()))
      << std::strerror(errno);
}

std::vector<std::uint8_t> udp_packet(std::uint16_t port) {
  // With a correct header checksum (66bd): netfilter on a bridge drops any other.
  std::vector<std::uint8_t> packet = {0x45, 0, 0,  28, 0, 0, 0, 0, 64, 17, 0x66, 0xbd, 10, 9,
                                      0,    2, 10, 9,  0, 1, 0, 9, 0,  0,  0,    8,    0,  0};
  packet[22] = static_cast<std::uint8_t>(port >> 8);
  packet[23] = static_cast<std::uint8_t>(port);
  return packet;
}

std::vector<std::uint8_t> in_ethernet(const std::vector<std::uint8_t>& packet,
                                      const std::vector<std::uint8_t>& to, std::uint16_t tag) {
  std::vector<std::uint8_t> frame = to;
  frame.insert(frame.end(), {2, 0, 0, 0, 0, 0});
  if (tag != 0) {
    frame.insert(frame.end(), {0x81, 0, static_cast<std::uint8_t>(tag >> 8),
                               static_cast<std::uint8_t>(tag & 0xff)});
  }
  frame.insert(frame.end(), {8, 0});
  frame.insert(frame.end(), packet.begin(), packet.end());
  return frame;
}

}  // namespace weir::testing
