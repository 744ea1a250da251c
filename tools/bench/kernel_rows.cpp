// The rows of the comparison that the running kernel is measured for.
#include <algorithm>

#include "tools/bench/measure/hook_cost_by_slope.h"
#include "tools/bench/row_runner.h"
#include "tools/engine/programs.h"
#include "tools/engine/socket_program.h"

namespace weir::bench {
namespace {

// How often a run whose replicates or rounds are too far apart is tried, unless they are so far
// apart (an emulated machine) that another try would do no better.
constexpr int kSlopeTries = 3;
constexpr double kHopeless = 20;  // Times the noise that is tolerated.

// The noise of a run over the noise that is tolerated, in its replicates or in the rounds of a row.
double worst_excess(const SlopeResult& result, Method method) {
  double excess = result.noise_ns / kCredibleNoise;
  for (const std::vector<double>& ns : result.net_ns) {
    excess = std::max(excess, excess_noise(spread_of(ns), least_noise(method)));
  }
  return excess;
}

// Whether an error means that this machine cannot be measured, not that something is wrong.
bool is_limit(ErrorCode code) {
  return code == ErrorCode::kPermission || code == ErrorCode::kUnsupported;
}

// The row has no figures but goes on; any other error ends the comparison.
Status leave_out(std::span<Runner* const> runners, const Error& error) {
  if (!is_limit(error.code)) {
    return tl::make_unexpected(error);
  }
  for (Runner* runner : runners) {
    runner->row.skipped = "not timed: " + to_string(error);
  }
  return {};
}

std::vector<Runner*> runners_of(std::vector<Runner>& runners, Method method) {
  std::vector<Runner*> chosen;
  for (Runner& runner : runners) {
    if (runner.measured_by(method)) {
      chosen.push_back(&runner);
    }
  }
  return chosen;
}

Result<ebpf::Program> program_for(const engine::Filter& filter, lower::TargetId target) {
  if (target == lower::TargetId::kSocket) {
    return engine::socket_program(filter);
  }
  return translate(filter.program, engine::translate_options(filter, target));
}

Status measure_slope(std::vector<Runner>& all, Method method, std::span<const cbpf::Packet> packets,
                     const CompareOptions& options, std::vector<Noise>& noise) {
  const std::vector<Runner*> runners = runners_of(all, method);
  if (runners.empty()) {
    return {};
  }
  const bool tc = method == Method::kTcSlope;
  std::vector<ebpf::Program> programs;
  std::vector<cbpf::ValidatedProgram> classics;
  programs.reserve(runners.size());
  classics.reserve(runners.size());
  std::vector<SlopeVariant> variants;
  for (const Runner* runner : runners) {
    if (runner->row.design == 1993) {
      auto classic = engine::classic_program(runner->filter);
      if (!classic) {
        return tl::make_unexpected(classic.error());
      }
      classics.push_back(std::move(*classic));
      variants.push_back({.classic = &classics.back().program()});
      continue;
    }
    auto program =
        program_for(runner->filter, tc ? lower::TargetId::kTc : lower::TargetId::kSocket);
    if (!program) {
      return tl::make_unexpected(program.error());
    }
    programs.push_back(std::move(*program));
    variants.push_back({.extended = &programs.back()});
  }
  Result<SlopeResult> best = fail(ErrorCode::kUnsupported, "not measured");
  double least = kHopeless;
  for (int i = 0; i < kSlopeTries && !(best && least <= 1); ++i) {
    auto result = slope(tc ? SlopeHook::kTc : SlopeHook::kSocket, variants, packets,
                        {.rounds = options.slope_rounds});
    if (!result) {
      return leave_out(runners, result.error());
    }
    const double excess = worst_excess(*result, method);
    if (!best || excess < least) {
      best = std::move(result);
      least = excess;
    }
    if (excess > kHopeless) {
      break;
    }
  }
  for (std::size_t i = 0; i < runners.size(); ++i) {
    runners[i]->times = std::move(best->net_ns[i]);
  }
  noise.push_back({method, best->noise_ns});
  return {};
}

Status measure_live(std::vector<Runner>& all, std::span<const cbpf::Packet> packets,
                    const CompareOptions& options, std::vector<Noise>& noise) {
  const std::vector<Runner*> runners = runners_of(all, Method::kLiveFrames);
  if (runners.empty()) {
    return {};
  }
  std::vector<ebpf::Program> programs;
  for (const Runner* runner : runners) {
    auto program = program_for(runner->filter, lower::TargetId::kXdp);
    if (!program) {
      return tl::make_unexpected(program.error());
    }
    programs.push_back(std::move(*program));
  }
  std::vector<const ebpf::Program*> pointers;
  pointers.reserve(programs.size());
  for (const ebpf::Program& program : programs) {
    pointers.push_back(&program);
  }
  auto result = live_cost(pointers, packets, options.live);
  if (!result) {
    return leave_out(runners, result.error());
  }
  for (std::size_t i = 0; i < runners.size(); ++i) {
    runners[i]->times = std::move(result->added_ns[i]);
  }
  noise.push_back({Method::kLiveFrames, result->noise_ns});
  return {};
}

}  // namespace

Status measure_kernel_rows(std::vector<Runner>& runners, std::span<const cbpf::Packet> packets,
                           const CompareOptions& options, std::vector<Noise>& noise) {
  std::vector<cbpf::Packet> sendable;
  for (const cbpf::Packet& packet : packets) {
    if (packet.captured.size() == packet.wire_length && packet.wire_length >= kLeastSlopePacket &&
        packet.wire_length <= kMostSlopePacket) {
      sendable.push_back(packet);
    }
  }
  if (!sendable.empty()) {
    for (const Method method : {Method::kSocketSlope, Method::kTcSlope}) {
      if (auto measured = measure_slope(runners, method, sendable, options, noise); !measured) {
        return measured;
      }
    }
  }
  return measure_live(runners, packets, options, noise);
}

}  // namespace weir::bench
