// The pins of libxdp's dispatchers in bpffs: a folder dispatch-IFINDEX-ID for each dispatcher, with
// the programs and links of those it calls. Private to this folder.
#pragma once

#include <cstdint>
#include <string>

#include "cbpf/base/result.h"

namespace weir::xdp {

// Where bpffs is expected: /sys/fs/bpf, or what LIBXDP_BPFFS names.
std::string bpffs();
bool is_bpffs(const std::string& path);

// Removes what a killed weir leaves there: the folders of dispatchers that are no longer attached
// to the interface, if they are empty or hold a rule of weir's that was made in this network
// namespace. (Interfaces of other namespaces that share the bpffs can have the same index.) The
// programs in them run nowhere. Holds libxdp's lock meanwhile.
Status remove_stale_pins(std::uint32_t interface);

}  // namespace weir::xdp
