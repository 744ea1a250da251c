// The comparison: one filter, one traffic, every engine, and beside them what else runs the same
// filter. Results are checked before anything is timed; engines that disagree are not timed at all.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"
#include "tools/bench/measure/hook_cost_live_frames.h"
#include "tools/bench/measure/statistics.h"
#include "tools/bench/measure/verify_results.h"
#include "tools/bench/traffic/traffic.h"
#include "tools/engine/engine.h"

namespace weir::bench {

// How a row was measured. Each gives the cost of the filter alone; those of the kernel are net of
// the same with an empty filter.
enum class Method : std::uint8_t {
  kLoop,         // CPU time of a batch call over all packets, in this process.
  kSocketSlope,  // See hook_cost_by_slope.h.
  kTcSlope,
  kLiveFrames,  // See hook_cost_live_frames.h.
};
inline constexpr Method kMethods[] = {Method::kLoop, Method::kSocketSlope, Method::kTcSlope,
                                      Method::kLiveFrames};

// A classic program for the same filter that somebody else made, measured beside the engines; or
// somebody else's machine with a program of its own.
struct Peer {
  std::string name;       // Of the row: "libpcap-O".
  engine::EngineId runs;  // The engine that runs it, or with which the machine is wanted.
  Method method = Method::kLoop;
  std::optional<cbpf::Program> program;  // Of a machine: what it was made from.
  // Makes the machine ready, in the place of the engine. It is not trusted: it is shown every
  // packet in another process before it runs in this one.
  std::function<Result<std::unique_ptr<engine::Prepared>>()> machine;
  std::string skipped;  // Why there is neither.
};

struct Row {
  std::string name;   // Of the engine or the peer.
  int design = 1993;  // Whose instructions it runs.
  engine::Footprint footprint;
  std::uint64_t matched = 0;
  Method method = Method::kLoop;
  Spread ns_per_packet;
  // libpcap's median over this row's. Absent without libpcap, and where one of the two drowns in
  // noise.
  std::optional<double> ratio;
  // Against the row of base_rows() that is there: in user space the median of the ratios within a
  // round, else of the medians.
  std::optional<double> ratio_to_base;
  std::string skipped;         // Why there are no figures; empty when there are.
  std::optional<Wrong> wrong;  // Of a peer, which is skipped for it.

  // Whether its rounds agree well enough to believe the median (statistics.h).
  bool credible() const;
};

// What the rows of a method are held against, the best first: libpcap's program, and the kernel's
// way with classic programs at the same hook.
std::vector<std::string_view> base_rows(Method method);

// How far replicates of a kernel method were apart, in ns per packet.
struct Noise {
  Method method = Method::kSocketSlope;
  double ns = 0;
  bool credible() const;
};

struct Comparison {
  std::string source;
  std::uint64_t packets = 0;   // That every engine was shown.
  std::uint64_t bytes = 0;     // Their wire lengths.
  std::uint64_t left_out = 0;  // Packets of the traffic that some engine cannot be shown.
  std::vector<Row> rows;       // The engines, then the peers.
  std::vector<Noise> noise;    // Of the kernel methods that were used.

  const Row* row(std::string_view name) const;  // Null when there is none.
  // Whether the replicates of a method agree, as far as it has any.
  bool credible(Method method) const;
  // Whether a time is worth a conclusion: the row's rounds agree, and the replicates of its method.
  bool credible(const Row& row) const { return row.credible() && credible(row.method); }
  // How far off the row's median may be, in ns: by its rounds, or as far as replicates are apart.
  double noise_ns(const Row& row) const;
};

// The noise of a median that is tolerated however small the median, in ns per packet.
double least_noise(Method method);

struct CompareOptions {
  // The same filter as libpcap's own, unoptimised program: what the engines of 1993 run, and what
  // is right. Without it they run what weir makes of the filter for them.
  std::optional<engine::Filter> plain;
  std::vector<engine::EngineId> engines;  // Empty: all. A peer comes with the engine that runs it.
  std::vector<Peer> peers;
  std::uint32_t rounds = 11;  // Timed rounds; two more go before, untimed.
  std::uint32_t passes = 1;   // Walks over the traffic in a round (hot traffic: many).
  std::uint32_t slope_rounds = 60;
  std::uint32_t trial_seconds = 20;  // CPU time that a machine has for its trial.
  LiveOptions live;
};

// kDisagreement, naming the engine, the packet and both results, when an engine differs from
// classic-interpreter (on `plain`). A peer that differs is no error: its row says so instead.
Result<Comparison> compare(const engine::Filter& filter, const Traffic& traffic,
                           const CompareOptions& options = {});

}  // namespace weir::bench
