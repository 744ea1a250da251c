// What a standing rule has counted.
#pragma once

#include <cstdint>

#include "cbpf/base/result.h"
#include "translator/ebpf/rule_maps.h"

namespace weir::xdp {

struct Counters {
  ebpf::Counter no_match;
  ebpf::Counter match;
};

// The sums over all possible CPUs of a map laid out as ebpf::kCounterMap. The CPUs go on counting
// meanwhile: packets and bytes of one verdict may be a few packets apart.
Result<Counters> read_counters(int map_fd);

// Those of a program, by its id. kUnsupported when it has no such map; kPermission without
// CAP_SYS_ADMIN.
Result<Counters> program_counters(std::uint32_t program_id);

}  // namespace weir::xdp
