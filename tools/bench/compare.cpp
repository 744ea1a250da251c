#include "tools/bench/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "tools/bench/measure/clock.h"
#include "tools/bench/measure/hook_cost_by_slope.h"
#include "tools/bench/row_runner.h"

namespace weir::bench {
namespace {

using engine::EngineId;

constexpr std::uint32_t kWarmUps = 2;
// Of one engine; a linear search through thousands of hosts needs no more to be seen.
constexpr double kLongestRoundNs = 5e7;
constexpr double kLeastInRound = 2000;
constexpr double kLeastCredible = 0.5;  // ns; what costs less has no ratio worth printing.

Method method_of(EngineId id) {
  switch (id) {
    case EngineId::kKernelClassic:
    case EngineId::kKernelSocket:
      return Method::kSocketSlope;
    case EngineId::kKernelTc:
      return Method::kTcSlope;
    case EngineId::kKernelXdp:
      return Method::kLiveFrames;
    case EngineId::kClassicInterpreter:
    case EngineId::kLibpcap:
    case EngineId::kExtendedInterpreter:
    case EngineId::kExtendedJit:
      break;
  }
  return Method::kLoop;
}

void keep(Result<std::unique_ptr<engine::Prepared>> prepared, Runner& runner) {
  if (!prepared) {
    runner.row.skipped = to_string(prepared.error());
    return;
  }
  runner.prepared = std::move(*prepared);
  runner.row.footprint = runner.prepared->footprint();
}

Runner make_runner(const engine::EngineInfo& engine, const engine::Filter& filter) {
  Runner runner{.row = {.name = std::string(engine.name),
                        .design = engine.design,
                        .method = method_of(engine.id)},
                .engine = engine.id,
                .filter = filter};
  keep(engine::prepare(runner.engine, runner.filter), runner);
  return runner;
}

Runner make_runner(const Peer& peer, const engine::Filter& filter) {
  Runner runner{.row = {.name = peer.name, .method = peer.method, .skipped = peer.skipped},
                .engine = peer.runs,
                .filter = filter,
                .peer = true,
                .trusted = !peer.machine};
  if (peer.machine) {
    runner.row.design = engine::info(peer.runs).design;
  }
  if (peer.program) {
    runner.row.footprint.instructions =
        static_cast<std::uint32_t>(peer.program->instructions.size());
    auto valid = cbpf::validate(*peer.program, filter.program.dialect());
    if (!valid) {
      runner.row.skipped = to_string(valid.error());
      return runner;
    }
    runner.filter.program = std::move(*valid);
    runner.filter.set_tests = {};
    keep(peer.machine ? peer.machine() : engine::prepare(runner.engine, runner.filter), runner);
  }
  return runner;
}

std::vector<Runner> make_runners(const engine::Filter& filter, const CompareOptions& options) {
  const auto wanted = [&](EngineId id) {
    return options.engines.empty() ||
           std::find(options.engines.begin(), options.engines.end(), id) != options.engines.end();
  };
  std::vector<Runner> runners;
  for (const engine::EngineInfo& engine : engine::all_engines()) {
    if (wanted(engine.id)) {
      const bool plain = engine.design == 1993 && options.plain;
      runners.push_back(make_runner(engine, plain ? *options.plain : filter));
    }
  }
  for (const Peer& peer : options.peers) {
    const bool tc = peer.method == Method::kTcSlope;
    if (tc ? wanted(EngineId::kKernelTc) : wanted(peer.runs)) {
      runners.push_back(make_runner(peer, filter));
    }
  }
  return runners;
}

// The packets that every engine can be shown. An engine that could not be shown half of them is
// left out instead, so that a capture of cut packets does not lose its packets to it, and another's
// machine takes away none that are left.
std::vector<cbpf::Packet> common_packets(std::vector<Runner>& runners,
                                         const std::vector<cbpf::Packet>& packets) {
  std::vector<bool> common(packets.size(), true);
  for (Runner& runner : runners) {
    if (!runner.row.skipped.empty()) {
      continue;
    }
    std::vector<bool> left = common;
    std::size_t count = 0;
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const bool shown = runner.prepared->can_run(packets[i]);
      count += shown ? 1 : 0;
      left[i] = common[i] && shown;
    }
    if (runner.trusted ? 2 * count < packets.size() : left != common) {
      runner.row.skipped =
          fmt::format("it can be shown only {} of the {} packets", count, packets.size());
      continue;
    }
    common = std::move(left);
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

// Whether the program that a machine was made from gives the answer that is wrong.
bool is_inherited(const Runner& runner, const Wrong& wrong) {
  auto interpreter = engine::prepare(EngineId::kClassicInterpreter, runner.filter);
  const cbpf::Packet packet{.captured = wrong.bytes,
                            .wire_length = static_cast<std::uint32_t>(wrong.bytes.size())};
  std::uint32_t result = 0;
  return interpreter && (*interpreter)->run({&packet, 1}, {&result, 1}) && result == wrong.got;
}

// A row that is not right is not timed.
void leave_out(Runner& runner, Wrong wrong) {
  wrong.inherited = !runner.trusted && !wrong.crashed && is_inherited(runner, wrong);
  runner.row.skipped = to_string(wrong);
  runner.row.wrong = std::move(wrong);
}

// Shows the packets to another's machine where it can do no harm.
void try_untrusted(Runner& runner, std::span<const std::uint32_t> reference,
                   std::span<const cbpf::Packet> packets, std::uint32_t seconds) {
  if (reference.empty()) {
    runner.row.skipped = "there is nothing to hold its answers against";
    return;
  }
  auto wrong = try_machine(*runner.prepared, reference, packets, seconds);
  if (!wrong) {
    runner.row.skipped = to_string(wrong.error());
  } else if (*wrong) {
    leave_out(runner, std::move(**wrong));
  }
}

// Runs the row's engine once over the packets and holds its results against the reference's.
Status check_results(Runner& runner, std::span<const std::uint32_t> reference,
                     std::span<const cbpf::Packet> packets) {
  runner.results.resize(packets.size());
  const std::uint64_t begin = thread_cpu_ns();
  if (auto ran = runner.prepared->run(packets, runner.results); !ran) {
    return ran;
  }
  runner.first_ns =
      static_cast<double>(thread_cpu_ns() - begin) / static_cast<double>(packets.size());
  runner.row.matched = static_cast<std::uint64_t>(std::count_if(
      runner.results.begin(), runner.results.end(), [](std::uint32_t r) { return r != 0; }));
  if (reference.empty() ||
      (runner.trusted && engine::dialect_warning(runner.engine, runner.filter))) {
    return {};
  }
  auto wrong = find_wrong(reference, runner.results,
                          engine::info(runner.engine).shows_accept_length, packets);
  if (wrong && !runner.peer) {
    return fail(ErrorCode::kDisagreement,
                fmt::format("{} gives {} for packet {} where {} is right", runner.row.name,
                            wrong->got, wrong->packet, wrong->right));
  }
  if (wrong) {
    leave_out(runner, std::move(*wrong));
  }
  return {};
}

Status check_all_results(std::vector<Runner>& runners, const engine::Filter& filter,
                         std::span<const cbpf::Packet> packets, std::uint32_t trial_seconds) {
  const auto reference = reference_results(filter, packets);
  if (!reference) {
    return tl::make_unexpected(reference.error());
  }
  for (Runner& runner : runners) {
    if (!runner.trusted && runner.row.skipped.empty()) {
      try_untrusted(runner, *reference, packets, trial_seconds);
    }
    if (!runner.row.skipped.empty()) {
      continue;
    }
    if (auto checked = check_results(runner, *reference, packets); !checked) {
      return checked;
    }
  }
  return {};
}

// How many packets an engine is given in a round: all of every walk, but where that would take too
// long as many as the time allows.
std::size_t packets_in_round(const Runner& runner, std::size_t packets, std::uint32_t passes) {
  const double all = static_cast<double>(packets) * passes;
  const double affordable = kLongestRoundNs / std::max(1.0, runner.first_ns);
  return static_cast<std::size_t>(std::min(all, std::max(affordable, kLeastInRound)));
}

Status time_round(std::vector<Runner>& runners, std::span<const cbpf::Packet> packets,
                  std::uint32_t passes, bool keep) {
  for (Runner& runner : runners) {
    if (!runner.measured_by(Method::kLoop)) {
      continue;
    }
    const std::size_t count = packets_in_round(runner, packets.size(), passes);
    const std::uint64_t begin = thread_cpu_ns();
    for (std::size_t done = 0; done < count;) {
      const std::size_t now = std::min(packets.size(), count - done);
      if (auto ran = runner.prepared->run(packets.first(now), std::span(runner.results).first(now));
          !ran) {
        return ran;
      }
      done += now;
    }
    const std::uint64_t end = thread_cpu_ns();
    if (keep) {
      runner.times.push_back(static_cast<double>(end - begin) / static_cast<double>(count));
    }
  }
  return {};
}

// Nothing where one of the costs is too small to divide by.
std::optional<double> ratio_of_medians(const Runner& peer, const Runner& runner) {
  const double ns = runner.row.ns_per_packet.median;
  if (ns < kLeastCredible || peer.row.ns_per_packet.median < kLeastCredible) {
    return std::nullopt;
  }
  return peer.row.ns_per_packet.median / ns;
}

// The median of the ratios within a round where rounds are long enough for that.
std::optional<double> ratio_of_rounds(const Runner& peer, const Runner& runner) {
  if (runner.row.method != Method::kLoop) {
    return ratio_of_medians(peer, runner);
  }
  std::vector<double> ratios;
  for (std::size_t round = 0; round < runner.times.size(); ++round) {
    ratios.push_back(peer.times[round] / runner.times[round]);
  }
  return spread_of(ratios).median;
}

const Runner* timed_runner(const std::vector<Runner>& runners,
                           const std::vector<std::string_view>& names) {
  for (const std::string_view name : names) {
    for (const Runner& runner : runners) {
      if (runner.row.name == name && !runner.times.empty()) {
        return &runner;
      }
    }
  }
  return nullptr;
}

void summarise(std::vector<Runner>& runners, const Comparison& comparison) {
  for (Runner& runner : runners) {
    if (!runner.times.empty()) {
      runner.row.ns_per_packet = spread_of(runner.times);
    } else if (runner.row.skipped.empty()) {
      runner.row.skipped = "no packet of this traffic can be sent on a veth pair";
    }
  }
  const Runner* libpcap = timed_runner(runners, {"libpcap"});
  for (Runner& runner : runners) {
    if (runner.times.empty() || !comparison.credible(runner.row)) {
      continue;
    }
    if (libpcap != nullptr && comparison.credible(libpcap->row)) {
      runner.row.ratio = ratio_of_medians(*libpcap, runner);
    }
    const Runner* base = timed_runner(runners, base_rows(runner.row.method));
    if (base != nullptr && comparison.credible(base->row)) {
      runner.row.ratio_to_base = ratio_of_rounds(*base, runner);
    }
  }
}

}  // namespace

std::vector<std::string_view> base_rows(Method method) {
  switch (method) {
    case Method::kLoop:
      return {"libpcap"};
    case Method::kSocketSlope:
      return {"kernel-classic-O", "kernel-classic"};
    case Method::kTcSlope:
      return {"kernel-tc-classic-O", "kernel-tc-classic"};
    case Method::kLiveFrames:
      break;
  }
  return {};
}

bool Noise::credible() const { return ns <= kCredibleNoise; }

double least_noise(Method method) {
  return method == Method::kLoop ? kLeastCredible : kCredibleNoise;
}

bool Row::credible() const { return excess_noise(ns_per_packet, least_noise(method)) <= 1; }

double Comparison::noise_ns(const Row& row) const {
  double ns = row.ns_per_packet.noise;
  for (const Noise& one : noise) {
    ns = one.method == row.method ? std::max(ns, one.ns) : ns;
  }
  return ns;
}

bool Comparison::credible(Method method) const {
  return std::all_of(noise.begin(), noise.end(),
                     [&](const Noise& one) { return one.method != method || one.credible(); });
}

const Row* Comparison::row(std::string_view name) const {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

Result<Comparison> compare(const engine::Filter& filter, const Traffic& traffic,
                           const CompareOptions& options) {
  std::vector<Runner> runners = make_runners(filter, options);
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
  if (auto checked = check_all_results(runners, options.plain ? *options.plain : filter, packets,
                                       options.trial_seconds);
      !checked) {
    return tl::make_unexpected(checked.error());
  }
  for (std::uint32_t round = 0; round < kWarmUps + options.rounds; ++round) {
    if (auto timed = time_round(runners, packets, options.passes, round >= kWarmUps); !timed) {
      return tl::make_unexpected(timed.error());
    }
  }
  if (auto measured = measure_kernel_rows(runners, packets, options, comparison.noise); !measured) {
    return tl::make_unexpected(measured.error());
  }
  summarise(runners, comparison);
  for (Runner& runner : runners) {
    comparison.rows.push_back(std::move(runner.row));
  }
  return comparison;
}

}  // namespace weir::bench
