// Files read as memory without the fear of SIGBUS.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir {

// Touching a page of a mapped file raises SIGBUS when the file has become shorter or the disk
// fails, which would end the program and lose what it has not written. While it lives, this catches
// the signal for one region: the page is replaced by one of zeros, and broken() says so. Whoever
// reads asks before believing what was read. Anywhere else the signal does what it did before.
//
// A signal handler can reach nothing but what is static, so there is one at a time.
class SigbusGuard {
 public:
  SigbusGuard();
  ~SigbusGuard();
  SigbusGuard(const SigbusGuard&) = delete;
  SigbusGuard& operator=(const SigbusGuard&) = delete;

  // Watches this region, and no other one any more; forgets what was broken in the one before.
  void watch(const std::uint8_t* begin, std::size_t size);
  void forget() { watch(nullptr, 0); }

  // Whether a page of the region could not be read. Any thread may ask.
  bool broken() const;
};

}  // namespace weir
