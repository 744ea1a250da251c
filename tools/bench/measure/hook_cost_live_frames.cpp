#include "tools/bench/measure/hook_cost_live_frames.h"

#include <algorithm>
#include <cmath>

#include "tools/bench/measure/clock.h"
#include "tools/bench/measure/neutralized_programs.h"
#include "tools/bench/measure/statistics.h"
#include "xdp/kernel/load.h"
#include "xdp/kernel/network_namespace.h"
#include "xdp/kernel/test_run.h"

namespace weir::bench {
namespace {

constexpr std::int32_t kXdpDrop = 1;
constexpr std::uint32_t kWarmUps = 2;

std::vector<Bytes> spread_packets(const xdp::LoadedProgram& program,
                                  std::span<const cbpf::Packet> packets, std::uint32_t most) {
  std::vector<Bytes> chosen;
  const std::size_t step = std::max<std::size_t>(1, packets.size() / most);
  for (std::size_t i = 0; i < packets.size() && chosen.size() < most; i += step) {
    if (packets[i].captured.size() == packets[i].wire_length &&
        xdp::can_test_run(program, packets[i].captured)) {
      chosen.push_back(packets[i].captured);
    }
  }
  return chosen;
}

// The CPU time of every program over all packets, which they take turns at.
Status run_round(std::span<const xdp::LoadedProgram> programs, std::span<const Bytes> packets,
                 std::uint32_t frames, std::vector<double>& ns) {
  const std::uint32_t each =
      std::max<std::uint32_t>(1, frames / static_cast<std::uint32_t>(packets.size()));
  ns.assign(programs.size(), 0);
  for (const Bytes packet : packets) {
    for (std::size_t i = 0; i < programs.size(); ++i) {
      const std::uint64_t begin = thread_cpu_ns();
      if (auto ran = xdp::run_live_frames(programs[i], packet, each); !ran) {
        return ran;
      }
      ns[i] += static_cast<double>(thread_cpu_ns() - begin);
    }
  }
  for (double& sum : ns) {
    sum /= static_cast<double>(each) * static_cast<double>(packets.size());
  }
  return {};
}

}  // namespace

Result<LiveResult> live_cost(std::span<const ebpf::Program* const> programs,
                             std::span<const cbpf::Packet> packets, const LiveOptions& options) {
  // Frames that a changed program should still let pass would end up here.
  const auto network = xdp::PrivateNetwork::enter();
  if (!network) {
    return tl::make_unexpected(network.error());
  }
  // The first and the last only drop.
  const ebpf::Program drop = empty_program(kXdpDrop);
  std::vector<xdp::LoadedProgram> loaded;
  for (std::size_t i = 0; i < programs.size() + 2; ++i) {
    const bool empty = i == 0 || i == programs.size() + 1;
    auto program = xdp::load(empty ? drop : returning_always(*programs[i - 1], kXdpDrop),
                             xdp::ProgramType::kXdp);
    if (!program) {
      return tl::make_unexpected(program.error());
    }
    loaded.push_back(std::move(*program));
  }
  const std::vector<Bytes> chosen = spread_packets(loaded.front(), packets, options.packets);
  if (chosen.empty()) {
    return fail(ErrorCode::kUnsupported, "no packet of this traffic can be an XDP frame here");
  }
  LiveResult result;
  result.added_ns.resize(programs.size());
  std::vector<double> first;
  std::vector<double> last;
  std::vector<double> ns;
  for (std::uint32_t round = 0; round < kWarmUps + options.rounds; ++round) {
    if (auto ran = run_round(loaded, chosen, options.frames, ns); !ran) {
      return tl::make_unexpected(ran.error());
    }
    if (round < kWarmUps) {
      continue;
    }
    first.push_back(ns.front());
    last.push_back(ns.back());
    for (std::size_t i = 0; i < programs.size(); ++i) {
      result.added_ns[i].push_back(ns[i + 1] - (ns.front() + ns.back()) / 2);
    }
  }
  result.noise_ns = std::abs(spread_of(first).median - spread_of(last).median);
  result.drop_ns = (spread_of(first).median + spread_of(last).median) / 2;
  return result;
}

}  // namespace weir::bench
