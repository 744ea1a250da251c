// What the counters of a standing rule say.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "translator/lower/to_extended.h"
#include "xdp/kernel/load.h"

namespace weir::lower {

// The sum over all CPUs; `key` is 1 for what matched, else 0.
inline Counter read_counter(const xdp::LoadedProgram& program, std::uint32_t key) {
  std::vector<Counter> counters(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  EXPECT_EQ(bpf_map_lookup_elem(program.map_fd(kCounterMap), &key, counters.data()), 0);
  Counter sum;
  for (const Counter& each : counters) {
    sum.packets += each.packets;
    sum.bytes += each.bytes;
  }
  return sum;
}

}  // namespace weir::lower
