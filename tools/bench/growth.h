// How the time from an expression to a program grows with the length of a list.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "tools/bench/setup_cost.h"

namespace weir::bench {

// `host A or host B or …`, `hosts` random addresses, the same for the same seed.
std::string list_of_hosts(std::uint32_t hosts, std::uint64_t seed);

struct GrowthPoint {
  std::uint32_t hosts = 0;
  SetupCost setup;
  std::optional<PeerProgram> plain;      // By libpcap; absent where it takes too long.
  std::optional<PeerProgram> optimised;  // By libpcap with its optimiser, likewise.
};

struct GrowthOptions {
  std::vector<std::uint32_t> hosts = {10, 50, 100, 500, 1000, 5000, 10000};
  std::uint32_t peer_seconds = 20;  // CPU time libpcap has for one list.
  bool load = true;                 // Into the kernel, too.
  std::function<void(std::uint32_t hosts)> progress;
};

// Sets up every list in turn, each time the best of three. Once libpcap has taken too long for one
// list it is not asked for longer ones.
Result<std::vector<GrowthPoint>> measure_growth(const GrowthOptions& options = {});

// The exponent p of time = c * hosts^p that fits the points best (least squares over logarithms);
// nothing with fewer than two points that have a number.
std::optional<double> growth_exponent(
    const std::vector<GrowthPoint>& points,
    const std::function<std::optional<double>(const GrowthPoint&)>& ns);

}  // namespace weir::bench
