// The clsact qdisc that tc filters need: made with the first rule, removed with the last. Private
// to this folder.
#pragma once

#include <cstdint>
#include <string>

#include "cbpf/base/result.h"
#include "xdp/hooks/tc_listing.h"
#include "xdp/kernel/netlink.h"

namespace weir::xdp {

// Sees to it that the interface has a qdisc for filters of that direction. True when the qdisc is
// weir's and is to be removed with its last filter: it was made here, one of weir's filters in it
// says so, or it holds no filter at all (a killed weir leaves it so).
// kUnsupported for egress where the interface has a plain `ingress` qdisc, with the way out.
Result<bool> provide_clsact(Netlink& netlink, const std::string& interface, std::uint32_t index,
                            TcDirection direction);

// Whether the qdisc has filters of the direction; what was provided may be replaced by others.
Result<bool> has_direction(Netlink& netlink, std::uint32_t index, TcDirection direction);

// Removes a clsact qdisc that holds no filter and shares no block. A filter that a foreign tool
// adds between the kernel's answer and the removal goes with it; the kernel has no operation for
// both.
Status remove_empty_clsact(Netlink& netlink, std::uint32_t index);

}  // namespace weir::xdp
