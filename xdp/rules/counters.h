// What a rule has counted.
#pragma once

#include <cstdint>

#include "cbpf/base/bytes.h"
#include "cbpf/base/result.h"
#include "translator/ebpf/rule_maps.h"

namespace weir::xdp {

struct Counters {
  ebpf::Counter no_match;
  ebpf::Counter match;
};

// The sum of the counters in an entry of a per-CPU array of ebpf::Counter; bytes that make no whole
// counter are ignored.
ebpf::Counter sum_counters(Bytes values);

// The sums over all CPUs of a map laid out as ebpf::kCounterMap. The CPUs go on counting meanwhile:
// packets and bytes of one verdict may be a few packets apart. kUnsupported for any other map.
Result<Counters> read_counters(int map_fd);

// Those of a program, by its id. kUnsupported when it has no such map; kPermission without
// CAP_SYS_ADMIN; kSystem when the program has gone.
Result<Counters> program_counters(std::uint32_t program_id);

}  // namespace weir::xdp
