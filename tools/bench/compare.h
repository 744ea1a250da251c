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

// How a row was measured. Only rows of one method stand in ratio to each other.
enum class Method : std::uint8_t {
  kLoop,         // CPU time of a batch call over all packets, in this process.
  kSocketSlope,  // See socket_slope.h.
  kTestRun,      // BPF_PROG_TEST_RUN: one packet repeated, less an empty program's time.
};

struct Row {
  engine::EngineId id;
  engine::Footprint footprint;
  std::uint64_t packets = 0;  // How many the engine could be shown.
  std::uint64_t matched = 0;
  Method method = Method::kLoop;
  Spread ns_per_packet;
  // The median over the rounds of (libpcap's time / this engine's) within a round, and its spread;
  // for kernel-socket against kernel-classic. Absent where there is nothing to stand in ratio to.
  std::optional<Spread> ratio;
  std::string skipped;  // Why there are no figures; empty when there are.
};

struct Comparison {
  std::string source;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::vector<Row> rows;
};

struct CompareOptions {
  std::vector<engine::EngineId> engines;  // Empty: all.
  std::uint32_t rounds = 11;              // Timed rounds; two more go before, untimed.
  std::uint32_t passes = 1;               // Walks over the traffic in a round (hot traffic: many).
  // At most this many packets are shown to the kernel's engines one by one.
  std::uint32_t kernel_packets = 512;
};

// kDisagreement, naming the engine, the packet and both results, when an engine differs from
// classic-interpreter.
Result<Comparison> compare(const engine::Filter& filter, const Traffic& traffic,
                           const CompareOptions& options = {});

}  // namespace weir::bench
