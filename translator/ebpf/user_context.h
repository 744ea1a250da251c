// What a program of the `user` target is given: the contract between the lowering, which makes such
// programs, and the machines in user space that run them.
#pragma once

#include <array>
#include <cstdint>

namespace weir::ebpf {

// r1 points to it. The program reads it and the packet, and writes neither.
struct UserContext {
  std::uint64_t data = 0;      // Address of the first captured byte.
  std::uint64_t data_end = 0;  // Address behind the last.
  std::uint32_t length = 0;    // Wire length.
  std::uint32_t reserved = 0;
  std::array<std::uint32_t, 16> ancillary{};  // By extension number / 4.
};
static_assert(sizeof(UserContext) == 88);

}  // namespace weir::ebpf
