// The comparison: one filter, one traffic, every engine. Results are checked before anything is
// timed; engines that disagree are not timed at all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "tools/bench/traffic.h"
#include "tools/engine/engine.h"

namespace weir::bench {

struct Spread {
  double min = 0;
  double median = 0;
  double max = 0;
};

// The spread of a list that is not empty.
Spread spread_of(std::vector<double> values);

// How a row was measured. Each gives the cost of the filter alone; those of the kernel are net of
// the same with an empty filter.
enum class Method : std::uint8_t {
  kLoop,         // CPU time of a batch call over all packets, in this process.
  kSocketSlope,  // See socket_slope.h.
  kTestRun,      // See test_run_cost.h.
};

struct Row {
  engine::EngineId id;
  engine::Footprint footprint;
  std::uint64_t matched = 0;
  Method method = Method::kLoop;
  Spread ns_per_packet;
  // libpcap's time over this engine's: the median of the ratios within a round for kLoop, the ratio
  // of the medians for the other methods. Absent without libpcap, and where the cost drowns in
  // noise.
  std::optional<double> ratio;
  std::string skipped;  // Why there are no figures; empty when there are.
};

struct Comparison {
  std::string source;
  std::uint64_t packets = 0;   // That every engine was shown.
  std::uint64_t bytes = 0;     // Their wire lengths.
  std::uint64_t left_out = 0;  // Packets of the traffic that some engine cannot be shown.
  std::vector<Row> rows;
  // How far apart three empty filters were in the socket slope, ns per packet; absent when it was
  // not measured.
  std::optional<double> slope_noise_ns;
};

struct CompareOptions {
  std::vector<engine::EngineId> engines;  // Empty: all.
  std::uint32_t rounds = 11;              // Timed rounds; two more go before, untimed.
  std::uint32_t passes = 1;               // Walks over the traffic in a round (hot traffic: many).
  std::uint32_t slope_rounds = 60;
};

// kDisagreement, naming the engine, the packet and both results, when an engine differs from
// classic-interpreter.
Result<Comparison> compare(const engine::Filter& filter, const Traffic& traffic,
                           const CompareOptions& options = {});

}  // namespace weir::bench
