// Networks for tests of the running kernel: a namespace of one's own, veth pairs in it, packets
// through them. Everything is gone when the objects are, also after a crash: the namespace has no
// name and lives only as long as a process is in it.
#pragma once

#include <sched.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cbpf/base/bytes.h"
#include "cbpf/base/fd.h"

namespace weir::testing {

// Runs a shell command and returns what it wrote on stdout and stderr; adds a test failure when it
// exits with anything but 0.
std::string run(const std::string& command);
// The same, any exit status.
std::string run_any(const std::string& command);

// Commands of iproute2's `ip`, one after the other in one process; a test failure if one fails.
void ip(const std::vector<std::string>& commands);

// Waits until the interface that is up carries packets; a test failure after two seconds.
void wait_until_running(const std::string& interface);

// Keeps the thread on one processor while it lives. Packets wait in a queue of the processor that
// sent them, so what two of them sent may arrive in another order.
class OnOneProcessor {
 public:
  OnOneProcessor();
  ~OnOneProcessor();
  OnOneProcessor(const OnOneProcessor&) = delete;
  OnOneProcessor& operator=(const OnOneProcessor&) = delete;

 private:
  cpu_set_t before_{};
  bool changed_ = false;
};

// Moves the calling thread (and what it starts) into a fresh network namespace, quiet (no IPv6)
// and with `lo` up, and back at the end of its life.
class NetworkNamespace {
 public:
  NetworkNamespace();
  ~NetworkNamespace();
  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;

 private:
  Fd before_;
};

// Two connected Ethernet interfaces that are up; what one sends the other receives. Named
// `name`0 and `name`1, with the addresses 02:00:00:00:00:00 and 02:00:00:00:00:01.
class VethPair {
 public:
  explicit VethPair(const std::string& name = "weir");
  ~VethPair();
  VethPair(const VethPair&) = delete;
  VethPair& operator=(const VethPair&) = delete;

  std::string a() const { return name_ + "0"; }
  std::string b() const { return name_ + "1"; }

 private:
  std::string name_;
};

// A bridge between interfaces that are up: what comes in on one port goes out on the others. Packet
// sockets tap an interface before tc ingress and generic XDP; what those let through shows behind a
// bridge.
class Bridge {
 public:
  Bridge(const std::string& name, const std::vector<std::string>& ports);
  ~Bridge();
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

 private:
  std::string name_;
};

// An AF_PACKET socket on one interface, of whole frames.
class PacketSocket {
 public:
  explicit PacketSocket(const std::string& interface);
  // One that is bound already.
  explicit PacketSocket(Fd socket) : fd_(std::move(socket)) {}
  int fd() const { return fd_.get(); }
  void send(Bytes frame) const;
  // The next frame the interface received (not one it sent), or nothing within the time.
  std::optional<std::vector<std::uint8_t>> receive(int timeout_ms = 2000) const;

 private:
  Fd fd_;
};

// An Ethernet frame of `length` bytes (at least 14) from a VethPair's first address to nobody's (so
// that a bridge passes it on); each byte of the payload is `fill`.
std::vector<std::uint8_t> frame(std::uint16_t ether_type, std::size_t length = 60,
                                std::uint8_t fill = 0);

// The ether type of a frame.
std::uint16_t ether_type(Bytes frame);

// Sends the frames from `from`, then a last one of kSentinel, and returns the ether types of the
// frames that came before it at `to`. The sentinel must pass; adds a test failure if it does not
// come within two seconds.
inline constexpr std::uint16_t kSentinel = 0x88b6;  // IEEE local experimental.
std::vector<std::uint16_t> pass_through(const PacketSocket& from, const PacketSocket& to,
                                        const std::vector<std::vector<std::uint8_t>>& frames);

}  // namespace weir::testing
