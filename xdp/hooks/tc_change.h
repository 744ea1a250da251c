// The kernel's operations on one filter at tc. Private to this folder.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cbpf/base/result.h"
#include "xdp/hooks/tc_listing.h"
#include "xdp/kernel/netlink.h"

namespace weir::xdp {

struct FilterPlace {
  std::uint32_t interface = 0;
  TcDirection direction = TcDirection::kIngress;
  std::uint32_t priority = 0;  // 0: the kernel chooses.
  std::uint32_t handle = 0;    // 0: the kernel chooses.
};

// Writes the attributes that name a filter's program.
using ProgramAttributes = std::function<void(NetlinkRequest&)>;
ProgramAttributes extended_program(int fd);

enum class Change : std::uint8_t { kCreate, kReplace };  // Exclusive: EEXIST, ENOENT.

struct ChangeResult {
  NetlinkAnswer answer;
  TcFilter filter;  // What the kernel made of it; where answer.error is 0.
};
ChangeResult change_filter(Netlink& netlink, const FilterPlace& place, Change change,
                           bool made_qdisc, const ProgramAttributes& program);

// Detaches `filter` if it is still at its place, as described in tc.h; leaves the qdisc.
Status delete_filter(Netlink& netlink, std::uint32_t interface, TcDirection direction,
                     const TcFilter& filter);

// Whether that filter, with that program, is at its place.
Result<bool> is_in_place(Netlink& netlink, std::uint32_t interface, TcDirection direction,
                         const TcFilter& filter);

}  // namespace weir::xdp
