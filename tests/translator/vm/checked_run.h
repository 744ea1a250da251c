// A program for packets on one of them with every access checked: what packet forms must agree
// with.
#pragma once

#include <array>

#include "translator/vm/machine.h"

namespace weir::vm {

// The program as it stands on one packet, with everything it may touch given as regions.
template <typename Machine>
Result<std::uint64_t> run_checked(const Machine& machine, const UserPacket& packet,
                                  const ebpf::UserContext& common) {
  ebpf::UserContext context = common;
  const Region bytes = readable({packet.data, packet.captured});
  context.data = bytes.address;
  context.data_end = bytes.address + packet.captured;
  context.length = packet.length;
  const std::array<Region, 2> regions = {
      bytes, Region{.address = reinterpret_cast<std::uint64_t>(&context), .size = sizeof(context)}};
  return machine.run({.r1 = regions[1].address, .regions = regions});
}

}  // namespace weir::vm
