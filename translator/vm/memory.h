// What the program may touch while it runs, and the operations on memory too long for the inner
// loop.
#pragma once

#include <cstdint>
#include <span>

#include "translator/vm/code.h"

namespace weir::vm {

using ebpf::covers;

// Every region of a run. Invariant: [stack_bottom, stack_top) is all 0 or written by the program.
struct Memory {
  Region main;    // The likeliest, looked at first.
  Region second;  // The next.
  std::uint64_t stack_bottom = 0;
  std::uint64_t stack_top = 0;
  std::span<const Region> given;
  std::span<const Region> data;

  bool readable(std::uint64_t address, std::uint64_t bytes) const {
    return covers(main, address, bytes) || covers(second, address, bytes) ||
           elsewhere(address, bytes, false);
  }
  bool writable(std::uint64_t address, std::uint64_t bytes) const {
    return (main.writable && covers(main, address, bytes)) ||
           (second.writable && covers(second, address, bytes)) || elsewhere(address, bytes, true);
  }

 private:
  bool elsewhere(std::uint64_t address, std::uint64_t bytes, bool write) const;
};

// An atomic operation at `address`; kNone when it was done.
FaultKind run_atomic(const Memory& memory, const Op& op, std::uint64_t address, std::uint64_t* r);

// A legacy load into r[0]; false when the packet does not hold it, which ends the program.
bool load_packet(Bytes packet, const Op& op, std::uint64_t* r);

}  // namespace weir::vm
