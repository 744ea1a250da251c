// Whether a piece of a file is cheaper to copy or to map: measured, since it hangs on the file
// system, on how large the folios are that the kernel keeps the file in, and on the processor.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir::cbpf {

enum class MapOrRead : std::uint8_t { kMap, kRead };

// What either way has cost lately. Any thread may call.
class MapOrReadCosts {
 public:
  // For the piece of this number, from 1: the cheaper way, and now and then the other one, since a
  // file may be half in memory.
  MapOrRead choose(std::uint64_t number) const;

  // That so many bytes have taken so many nanoseconds.
  void add(MapOrRead way, std::size_t bytes, std::uint64_t nanoseconds);

 private:
  struct Cost {
    // Nanoseconds for a MiB. What disturbs a thread makes it slower, never faster, so a lower cost
    // counts at once and a higher one by and by.
    std::atomic<std::uint64_t> nanoseconds{0};
    std::atomic<std::uint32_t> tried{0};
  };
  const Cost& of(MapOrRead way) const { return costs_[static_cast<std::size_t>(way)]; }

  std::array<Cost, 2> costs_;
};

// Of this thread.
std::uint64_t cpu_nanoseconds();

}  // namespace weir::cbpf
