// tcx (Linux 6.6): programs attached to tc without a qdisc or a filter. They run before every tc
// filter. weir attaches none, but lists them.
#pragma once

#include <cstdint>
#include <vector>

#include "cbpf/base/result.h"
#include "xdp/hooks/tc_listing.h"

namespace weir::xdp {

// The ids of the tcx programs of an interface, in the order in which they run; none on a kernel
// without tcx. kPermission without CAP_NET_ADMIN
// and CAP_SYS_ADMIN; kNoInterface.
Result<std::vector<std::uint32_t>> tcx_programs(std::uint32_t interface, TcDirection direction);

}  // namespace weir::xdp
