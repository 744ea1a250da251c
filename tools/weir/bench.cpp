// weir bench: the comparison of every engine on one filter and one traffic.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tools/bench/clock.h"
#include "tools/bench/compare.h"
#include "tools/weir/bench_report.h"
#include "tools/weir/bundled.h"
#include "tools/weir/filter_input.h"

namespace weir::tool {
namespace {

constexpr std::uint64_t kSeed = 1993;
constexpr std::size_t kUnseenPackets = 100'000;
constexpr std::size_t kHotPackets = 4096;
constexpr std::size_t kMostPackets = 1'000'000;
// Hot traffic is walked until a round has at least this many packets.
constexpr std::size_t kHotRound = 200'000;

Result<std::vector<engine::EngineId>> wanted_engines(const Options& options) {
  std::vector<engine::EngineId> engines;
  for (const std::string& name : options.all("engine")) {
    const auto id = engine::engine_by_name(name);
    if (!id) {
      return tl::make_unexpected(id.error());
    }
    engines.push_back(*id);
  }
  return engines;
}

// A section of the report: hot where the traffic is short enough to be learnt, else unseen.
Result<Section> measure(const FilterInput& input, const bench::Traffic& traffic,
                        bench::CompareOptions options) {
  const bool hot = traffic.packets.size() <= kHotPackets;
  options.passes = hot ? static_cast<std::uint32_t>(
                             kHotRound / std::max<std::size_t>(1, traffic.packets.size()) + 1)
                       : 1;
  auto comparison = bench::compare(input.filter(), traffic, options);
  if (!comparison) {
    return tl::make_unexpected(comparison.error());
  }
  return Section{hot, std::move(*comparison)};
}

// The traffic to measure with: the files of -r, or the bundled captures and the generated mix.
Result<std::vector<bench::Traffic>> wanted_traffic(const Options& options) {
  std::vector<bench::Traffic> all;
  if (options.has("read")) {
    auto traffic = bench::read_traffic(options.all("read"), kMostPackets);
    if (!traffic) {
      return tl::make_unexpected(traffic.error());
    }
    all.push_back(std::move(*traffic));
    return all;
  }
  if (const auto files = bundled_ethernet_captures(); !files.empty()) {
    auto traffic = bench::read_traffic(files, kHotPackets);
    if (!traffic) {
      return tl::make_unexpected(traffic.error());
    }
    traffic->source = "bundled captures";
    all.push_back(std::move(*traffic));
  }
  all.push_back(bench::generate_mix(kSeed, kUnseenPackets));
  return all;
}

Status run(const Options& options) {
  const auto engines = wanted_engines(options);
  if (!engines) {
    return tl::make_unexpected(engines.error());
  }
  const auto rounds = options.number("rounds", 11, 7, 1000);
  if (!rounds) {
    return tl::make_unexpected(rounds.error());
  }
  const auto traffics = wanted_traffic(options);
  if (!traffics) {
    return tl::make_unexpected(traffics.error());
  }
  const auto input = read_filter_input(options, traffics->front().link_type);
  if (!input) {
    return tl::make_unexpected(input.error());
  }
  for (const engine::EngineInfo& engine : engine::all_engines()) {
    if (const auto warning = engine::dialect_warning(engine.id, input->filter())) {
      fmt::print(stderr, "weir: warning: {}; its results are not compared\n", *warning);
    }
  }
  bench::pin_to_current_cpu();
  std::vector<Section> sections;
  for (const bench::Traffic& traffic : *traffics) {
    auto section = measure(*input, traffic,
                           {.engines = *engines, .rounds = static_cast<std::uint32_t>(*rounds)});
    if (!section) {
      return tl::make_unexpected(section.error());
    }
    sections.push_back(std::move(*section));
  }
  const Report report{input->text, this_machine(), std::move(sections)};
  fmt::print("{}", options.has("json") ? to_json(report) : to_table(report));
  return {};
}

}  // namespace

Command bench_command() {
  return {
      "bench",
      "the comparison: one filter, the same traffic, every engine",
      "[options] [--] EXPRESSION",
      "Runs the filter in every engine on the same packets, checks that all give the same "
      "results,\n"
      "and prints what a packet costs in each. Hot traffic fits the branch predictor's memory,\n"
      "unseen traffic does not. Without -r the bundled captures (hot) and a generated mix of\n"
      "100,000 packets (unseen) are used. The kernel's engines need root.",
      "  weir bench tcp port 80\n"
      "  weir bench -r trace.pcap udp port 53 and host 10.0.0.1\n"
      "  weir bench -j --engine libpcap --engine extended-interpreter ip",
      filter_input_options({
          {"read", 'r', OptionKind::kList, "FILE", "measure with the packets of a savefile"},
          {"engine", 0, OptionKind::kList, "NAME", "only this engine (may be repeated)"},
          {"rounds", 0, OptionKind::kValue, "N", "timed rounds (11)"},
          {"json", 'j', OptionKind::kFlag, "", "print JSON"},
      }),
      run,
      kExpressionNotes,
  };
}

}  // namespace weir::tool
