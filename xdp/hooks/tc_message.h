// The requests of rtnetlink at tc. Private to this folder.
#pragma once

#include <cstdint>
#include <string>

#include "cbpf/base/result.h"
#include "xdp/hooks/tc_listing.h"
#include "xdp/kernel/netlink.h"

namespace weir::xdp {

// Names of weir's filters. Without a state file, the name is the only place for the mark that the
// clsact qdisc is weir's.
inline constexpr char kFilterName[] = "weir";
inline constexpr char kFilterNameWithQdisc[] = "weir+clsact";

// A request about the interface's qdisc with the handle ffff:, or a dump of all (interface 0).
NetlinkRequest qdisc_request(std::uint16_t type, std::uint16_t flags, std::uint32_t interface);

// A request about the filters of a direction. A priority or handle of 0 lets the kernel choose, or
// asks for all.
NetlinkRequest filter_request(std::uint16_t type, std::uint16_t flags, std::uint32_t interface,
                              TcDirection direction, std::uint32_t priority = 0,
                              std::uint32_t handle = 0);

// A refusal of the kernel; ENOENT, a classifier or qdisc that it does not have, is kUnsupported.
tl::unexpected<Error> tc_error(const std::string& what, const NetlinkAnswer& answer);

}  // namespace weir::xdp
