// Where a virtual register lives: a real register or a stack slot; and how to move many at once.
#pragma once

#include <cstdint>
#include <vector>

#include "translator/ebpf/instruction.h"

namespace weir::lower {

// 0 to 10: that register; kFirstSlot + n: stack slot n; kNowhere.
struct Location {
  static constexpr std::uint16_t kFirstSlot = 16;
  static constexpr std::uint16_t kNowhere = 0xffff;
  std::uint16_t id = kNowhere;

  static constexpr Location in(ebpf::Reg reg) { return {static_cast<std::uint16_t>(reg)}; }
  static constexpr Location slot(std::uint32_t n) {
    return {static_cast<std::uint16_t>(kFirstSlot + n)};
  }
  bool is_reg() const { return id < kFirstSlot; }
  bool is_slot() const { return id >= kFirstSlot && id != kNowhere; }
  ebpf::Reg reg() const { return static_cast<ebpf::Reg>(id); }
  std::uint32_t slot_number() const { return static_cast<std::uint32_t>(id - kFirstSlot); }
  friend constexpr bool operator==(Location, Location) = default;
};

struct Copy {
  Location to;
  Location from;
};

// Puts copies that happen at the same time into an order that gives the same result one by one.
// Targets are distinct and none is r0. Copies that do nothing are dropped. A cycle goes through r0,
// or through `spare_slot` where a slot takes part (a copy between slots itself needs r0); at most
// one value is in the spare place at a time.
//
// The classic treatment: Boissinot et al., "Revisiting Out-of-SSA Translation", CGO 2009.
std::vector<Copy> sequentialise(std::vector<Copy> copies, Location spare_slot);

}  // namespace weir::lower
