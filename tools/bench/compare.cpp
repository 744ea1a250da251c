#include "tools/bench/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cbpf/dialect.h"
#include "tools/bench/clock.h"

namespace weir::bench {
namespace {

using engine::EngineId;

constexpr std::uint32_t kWarmUps = 2;

// One engine of the comparison and what is known of it so far.
struct Runner {
  Row row;
  std::unique_ptr<engine::Prepared> prepared;
  std::vector<std::size_t> indices;    // The packets it is shown, by their place in the traffic.
  std::vector<cbpf::Packet> packets;   // The same, side by side.
  std::vector<std::uint32_t> results;  // Of those packets.
  std::vector<double> times;           // ns per packet, by round.
};

Runner make_runner(EngineId id, const engine::Filter& filter, const Traffic& traffic,
                   const CompareOptions& options) {
  Runner runner;
  runner.row.id = id;
  auto prepared = engine::prepare(id, filter);
  if (!prepared) {
    runner.row.skipped = to_string(prepared.error());
    return runner;
  }
  runner.prepared = std::move(*prepared);
  runner.row.footprint = runner.prepared->footprint();
  const std::size_t most =
      engine::info(id).in_kernel ? options.kernel_packets : traffic.packets.size();
  for (std::size_t i = 0; i < traffic.packets.size() && runner.packets.size() < most; ++i) {
    if (runner.prepared->can_run(traffic.packets[i])) {
      runner.indices.push_back(i);
      runner.packets.push_back(traffic.packets[i]);
    }
  }
  runner.results.resize(runner.packets.size());
  runner.row.packets = runner.packets.size();
  if (runner.packets.empty()) {
    runner.row.skipped = "no packet of this traffic can be shown to it";
  }
  return runner;
}

// Whether the engine must say what classic-interpreter says: both read the program in one dialect,
// or it makes no difference.
bool must_agree(EngineId id, const engine::Filter& filter) {
  const engine::EngineInfo& engine = engine::info(id);
  return !engine.fixed_dialect || engine.dialect == filter.program.dialect() ||
         !cbpf::dialects_part_at(filter.program);
}

// What classic-interpreter says of every packet of the traffic; empty where it cannot run the
// filter.
Result<std::vector<std::uint32_t>> reference_results(const engine::Filter& filter,
                                                     const Traffic& traffic) {
  auto reference = engine::prepare(EngineId::kClassicInterpreter, filter);
  if (!reference) {
    return std::vector<std::uint32_t>{};
  }
  std::vector<std::uint32_t> results(traffic.packets.size());
  if (auto ran = (*reference)->run(traffic.packets, results); !ran) {
    return tl::make_unexpected(ran.error());
  }
  return results;
}

Status check_against(const std::vector<std::uint32_t>& reference, const Runner& runner) {
  const engine::EngineInfo& engine = engine::info(runner.row.id);
  for (std::size_t i = 0; i < runner.indices.size(); ++i) {
    std::uint32_t expected = reference[runner.indices[i]];
    if (!engine.shows_accept_length) {
      expected = expected != 0 ? 1 : 0;
    }
    if (runner.results[i] != expected) {
      return fail(ErrorCode::kDisagreement,
                  fmt::format("{} gives {} for packet {} where {} is right", engine.name,
                              runner.results[i], runner.indices[i] + 1, expected));
    }
  }
  return {};
}

// Runs every engine once over its packets and holds the results against the reference's.
Status check_results(std::vector<Runner>& runners, const engine::Filter& filter,
                     const std::vector<std::uint32_t>& reference) {
  for (Runner& runner : runners) {
    if (!runner.row.skipped.empty()) {
      continue;
    }
    if (auto ran = runner.prepared->run(runner.packets, runner.results); !ran) {
      return ran;
    }
    runner.row.matched = static_cast<std::uint64_t>(std::count_if(
        runner.results.begin(), runner.results.end(), [](std::uint32_t r) { return r != 0; }));
    if (!reference.empty() && must_agree(runner.row.id, filter)) {
      if (auto agreed = check_against(reference, runner); !agreed) {
        return agreed;
      }
    }
  }
  return {};
}

Status time_round(std::vector<Runner>& runners, std::uint32_t passes, bool keep) {
  for (Runner& runner : runners) {
    if (runner.row.method != Method::kLoop || !runner.row.skipped.empty()) {
      continue;
    }
    const std::uint64_t begin = thread_cpu_ns();
    for (std::uint32_t pass = 0; pass < passes; ++pass) {
      if (auto ran = runner.prepared->run(runner.packets, runner.results); !ran) {
        return ran;
      }
    }
    const std::uint64_t end = thread_cpu_ns();
    if (keep) {
      runner.times.push_back(static_cast<double>(end - begin) /
                             (static_cast<double>(runner.packets.size()) * passes));
    }
  }
  return {};
}

void summarise(std::vector<Runner>& runners) {
  const auto peer = std::find_if(runners.begin(), runners.end(), [](const Runner& runner) {
    return runner.row.id == EngineId::kLibpcap && !runner.times.empty();
  });
  for (Runner& runner : runners) {
    if (runner.times.empty()) {
      continue;
    }
    runner.row.ns_per_packet = spread_of(runner.times);
    if (peer != runners.end()) {
      std::vector<double> ratios;
      for (std::size_t round = 0; round < runner.times.size(); ++round) {
        ratios.push_back(peer->times[round] / runner.times[round]);
      }
      runner.row.ratio = spread_of(ratios);
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
  if (traffic.packets.empty()) {
    return fail(ErrorCode::kInvalidFile, "the traffic has no packets", {.file = traffic.source});
  }
  std::vector<Runner> runners;
  for (const engine::EngineInfo& engine : engine::all_engines()) {
    if (options.engines.empty() || std::find(options.engines.begin(), options.engines.end(),
                                             engine.id) != options.engines.end()) {
      runners.push_back(make_runner(engine.id, filter, traffic, options));
    }
  }
  const auto reference = reference_results(filter, traffic);
  if (!reference) {
    return tl::make_unexpected(reference.error());
  }
  if (auto checked = check_results(runners, filter, *reference); !checked) {
    return tl::make_unexpected(checked.error());
  }
  for (std::uint32_t round = 0; round < kWarmUps + options.rounds; ++round) {
    if (auto timed = time_round(runners, options.passes, round >= kWarmUps); !timed) {
      return tl::make_unexpected(timed.error());
    }
  }
  summarise(runners);
  Comparison comparison{traffic.source, traffic.packets.size(), traffic.bytes(), {}};
  for (Runner& runner : runners) {
    comparison.rows.push_back(std::move(runner.row));
  }
  return comparison;
}

}  // namespace weir::bench
