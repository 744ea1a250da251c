#include "tools/bench/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "tools/bench/clock.h"
#include "tools/bench/socket_slope.h"
#include "tools/bench/test_run_cost.h"
#include "tools/engine/programs.h"
#include "tools/engine/socket_program.h"

namespace weir::bench {
namespace {

using engine::EngineId;

constexpr std::uint32_t kWarmUps = 2;
constexpr double kLeastCredible = 0.5;  // ns; what costs less has no ratio worth printing.

// One engine of the comparison and what is known of it so far.
struct Runner {
  Row row;
  std::unique_ptr<engine::Prepared> prepared;
  std::vector<std::uint32_t> results;
  std::vector<double> times;  // ns per packet, by round.
};

Method method_of(EngineId id) {
  switch (id) {
    case EngineId::kKernelClassic:
    case EngineId::kKernelSocket:
      return Method::kSocketSlope;
    case EngineId::kKernelTc:
    case EngineId::kKernelXdp:
      return Method::kTestRun;
    case EngineId::kClassicInterpreter:
    case EngineId::kLibpcap:
    case EngineId::kExtendedInterpreter:
    case EngineId::kExtendedJit:
      break;
  }
  return Method::kLoop;
}

Runner make_runner(EngineId id, const engine::Filter& filter) {
  Runner runner;
  runner.row.id = id;
  runner.row.method = method_of(id);
  auto prepared = engine::prepare(id, filter);
  if (!prepared) {
    runner.row.skipped = to_string(prepared.error());
    return runner;
  }
  runner.prepared = std::move(*prepared);
  runner.row.footprint = runner.prepared->footprint();
  return runner;
}

// The packets that every engine can be shown. An engine that could not be shown half of them is
// left out instead, so that a capture of cut packets does not lose its packets to it.
std::vector<cbpf::Packet> common_packets(std::vector<Runner>& runners,
                                         const std::vector<cbpf::Packet>& packets) {
  std::vector<bool> common(packets.size(), true);
  for (Runner& runner : runners) {
    if (!runner.row.skipped.empty()) {
      continue;
    }
    std::vector<bool> shown(packets.size());
    std::size_t count = 0;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      shown[i] = runner.prepared->can_run(packets[i]);
      count += shown[i] ? 1 : 0;
    }
    if (2 * count < packets.size()) {
      runner.row.skipped =
          fmt::format("it can be shown only {} of the {} packets", count, packets.size());
      continue;
    }
    for (std::size_t i = 0; i < packets.size(); ++i) {
      common[i] = common[i] && shown[i];
    }
  }
  std::vector<cbpf::Packet> chosen;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (common[i]) {
      chosen.push_back(packets[i]);
    }
  }
  return chosen;
}

// What classic-interpreter says of every packet; empty where it cannot run the filter.
Result<std::vector<std::uint32_t>> reference_results(const engine::Filter& filter,
                                                     std::span<const cbpf::Packet> packets) {
  auto reference = engine::prepare(EngineId::kClassicInterpreter, filter);
  if (!reference) {
    return std::vector<std::uint32_t>{};
  }
  std::vector<std::uint32_t> results(packets.size());
  if (auto ran = (*reference)->run(packets, results); !ran) {
    return tl::make_unexpected(ran.error());
  }
  return results;
}

Status check_against(const std::vector<std::uint32_t>& reference, const Runner& runner) {
  const engine::EngineInfo& engine = engine::info(runner.row.id);
  for (std::size_t i = 0; i < reference.size(); ++i) {
    std::uint32_t expected = reference[i];
    if (!engine.shows_accept_length) {
      expected = expected != 0 ? 1 : 0;
    }
    if (runner.results[i] != expected) {
      return fail(ErrorCode::kDisagreement,
                  fmt::format("{} gives {} for packet {} where {} is right", engine.name,
                              runner.results[i], i + 1, expected));
    }
  }
  return {};
}

// Runs every engine once over the packets and holds the results against the reference's.
Status check_results(std::vector<Runner>& runners, const engine::Filter& filter,
                     std::span<const cbpf::Packet> packets) {
  const auto reference = reference_results(filter, packets);
  if (!reference) {
    return tl::make_unexpected(reference.error());
  }
  for (Runner& runner : runners) {
    if (!runner.row.skipped.empty()) {
      continue;
    }
    runner.results.resize(packets.size());
    if (auto ran = runner.prepared->run(packets, runner.results); !ran) {
      return ran;
    }
    runner.row.matched = static_cast<std::uint64_t>(std::count_if(
        runner.results.begin(), runner.results.end(), [](std::uint32_t r) { return r != 0; }));
    if (!engine::dialect_warning(runner.row.id, filter)) {
      if (auto agreed = check_against(*reference, runner); !agreed) {
        return agreed;
      }
    }
  }
  return {};
}

bool measured_by(const Runner& runner, Method method) {
  return runner.row.method == method && runner.row.skipped.empty();
}

Status time_round(std::vector<Runner>& runners, std::span<const cbpf::Packet> packets,
                  std::uint32_t passes, bool keep) {
  for (Runner& runner : runners) {
    if (!measured_by(runner, Method::kLoop)) {
      continue;
    }
    const std::uint64_t begin = thread_cpu_ns();
    for (std::uint32_t pass = 0; pass < passes; ++pass) {
      if (auto ran = runner.prepared->run(packets, runner.results); !ran) {
        return ran;
      }
    }
    const std::uint64_t end = thread_cpu_ns();
    if (keep) {
      runner.times.push_back(static_cast<double>(end - begin) /
                             (static_cast<double>(packets.size()) * passes));
    }
  }
  return {};
}

// kernel-classic and kernel-socket side by side. Where that cannot be had (no privilege) the rows
// say why.
Status measure_slope(std::vector<Runner>& runners, const engine::Filter& filter,
                     std::vector<cbpf::Packet> packets, std::uint32_t rounds,
                     std::optional<double>& noise) {
  const auto extended = engine::socket_program(filter);
  const auto classic = engine::classic_program(filter);
  std::vector<SlopeVariant> variants;
  std::vector<Runner*> measured;
  for (Runner& runner : runners) {
    if (!measured_by(runner, Method::kSocketSlope)) {
      continue;
    }
    if (runner.row.id == EngineId::kKernelClassic) {
      if (!classic) {
        return tl::make_unexpected(classic.error());
      }
      variants.push_back({.classic = &classic->program()});
    } else if (extended) {
      variants.push_back({.extended = &*extended});
    } else {
      return tl::make_unexpected(extended.error());
    }
    measured.push_back(&runner);
  }
  std::erase_if(packets, [](const cbpf::Packet& packet) {
    return packet.captured.size() < kLeastSlopePacket || packet.captured.size() > kMostSlopePacket;
  });
  if (measured.empty() || packets.empty()) {
    return {};
  }
  auto slope = socket_slope(variants, packets, {.rounds = rounds});
  for (std::size_t i = 0; i < measured.size(); ++i) {
    if (slope) {
      measured[i]->times = std::move(slope->net_ns[i]);
      noise = slope->noise_ns;
    } else if (slope.error().code == ErrorCode::kPermission) {
      measured[i]->row.skipped = "not timed: " + to_string(slope.error());
    } else {
      return tl::make_unexpected(slope.error());
    }
  }
  return {};
}

Status measure_test_runs(std::vector<Runner>& runners, const engine::Filter& filter,
                         std::span<const cbpf::Packet> packets, std::uint32_t rounds) {
  for (Runner& runner : runners) {
    if (measured_by(runner, Method::kTestRun)) {
      auto ns = test_run_cost(runner.row.id, filter, packets, {.rounds = rounds});
      if (!ns) {
        return tl::make_unexpected(ns.error());
      }
      runner.times = std::move(*ns);
    }
  }
  return {};
}

// The median of the ratios within a round where both ran in the same rounds, else of the medians.
std::optional<double> ratio_of(const Runner& peer, const Runner& runner) {
  if (runner.row.ns_per_packet.median < kLeastCredible) {
    return std::nullopt;
  }
  if (runner.row.method != peer.row.method) {
    return peer.row.ns_per_packet.median / runner.row.ns_per_packet.median;
  }
  std::vector<double> ratios;
  for (std::size_t round = 0; round < runner.times.size(); ++round) {
    ratios.push_back(peer.times[round] / runner.times[round]);
  }
  return spread_of(ratios).median;
}

void summarise(std::vector<Runner>& runners) {
  const Runner* peer = nullptr;
  for (Runner& runner : runners) {
    if (!runner.times.empty()) {
      runner.row.ns_per_packet = spread_of(runner.times);
      peer = runner.row.id == EngineId::kLibpcap ? &runner : peer;
    } else if (runner.row.skipped.empty()) {
      runner.row.skipped = "no packet of this traffic can be sent on a veth pair";
    }
  }
  for (Runner& runner : runners) {
    if (peer != nullptr && !runner.times.empty()) {
      runner.row.ratio = ratio_of(*peer, runner);
    }
  }
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {values.front(), median, values.back()};
}

Result<Comparison> compare(const engine::Filter& filter, const Traffic& traffic,
                           const CompareOptions& options) {
  std::vector<Runner> runners;
  for (const engine::EngineInfo& engine : engine::all_engines()) {
    if (options.engines.empty() || std::find(options.engines.begin(), options.engines.end(),
                                             engine.id) != options.engines.end()) {
      runners.push_back(make_runner(engine.id, filter));
    }
  }
  const std::vector<cbpf::Packet> packets = common_packets(runners, traffic.packets);
  if (packets.empty()) {
    return fail(ErrorCode::kInvalidFile, "the traffic has no packet that all engines can be shown",
                {.file = traffic.source});
  }
  Comparison comparison;
  comparison.source = traffic.source;
  comparison.packets = packets.size();
  comparison.left_out = traffic.packets.size() - packets.size();
  for (const cbpf::Packet& packet : packets) {
    comparison.bytes += packet.wire_length;
  }
  if (auto checked = check_results(runners, filter, packets); !checked) {
    return tl::make_unexpected(checked.error());
  }
  for (std::uint32_t round = 0; round < kWarmUps + options.rounds; ++round) {
    if (auto timed = time_round(runners, packets, options.passes, round >= kWarmUps); !timed) {
      return tl::make_unexpected(timed.error());
    }
  }
  if (auto measured =
          measure_slope(runners, filter, packets, options.slope_rounds, comparison.slope_noise_ns);
      !measured) {
    return tl::make_unexpected(measured.error());
  }
  if (auto measured = measure_test_runs(runners, filter, packets, options.rounds); !measured) {
    return tl::make_unexpected(measured.error());
  }
  summarise(runners);
  for (Runner& runner : runners) {
    comparison.rows.push_back(std::move(runner.row));
  }
  return comparison;
}

}  // namespace weir::bench
