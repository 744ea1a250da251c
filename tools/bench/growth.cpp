#include "tools/bench/growth.h"

#include <fmt/format.h>

#include <cmath>

#include "tools/bench/traffic/random.h"

namespace weir::bench {
namespace {

constexpr std::uint64_t kSeed = 1500;

// Compiles unless it was too long already, and sees whether it is now.
std::optional<PeerProgram> ask_peer(const std::string& expression, bool optimize,
                                    std::uint32_t seconds, bool& too_long) {
  if (too_long) {
    return std::nullopt;
  }
  auto made = compile_by_peer(expression, {.optimize = optimize}, seconds);
  too_long = !made;
  return made ? std::optional(std::move(*made)) : std::nullopt;
}

}  // namespace

std::string list_of_hosts(std::uint32_t hosts, std::uint64_t seed) {
  Random random(seed);
  std::string expression;
  for (std::uint32_t i = 0; i < hosts; ++i) {
    const auto address = static_cast<std::uint32_t>(random.next());
    expression += fmt::format("{}host {}.{}.{}.{}", i == 0 ? "" : " or ", address >> 24,
                              address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff);
  }
  return expression;
}

Result<std::vector<GrowthPoint>> measure_growth(const GrowthOptions& options) {
  std::vector<GrowthPoint> points;
  bool plain_too_long = false;
  bool optimised_too_long = false;
  for (const std::uint32_t hosts : options.hosts) {
    if (options.progress) {
      options.progress(hosts);
    }
    const std::string expression = list_of_hosts(hosts, kSeed);
    auto setup = setup_cost(expression, {.load = options.load});
    if (!setup) {
      return tl::make_unexpected(setup.error());
    }
    points.push_back(
        {.hosts = hosts,
         .setup = std::move(*setup),
         .plain = ask_peer(expression, false, options.peer_seconds, plain_too_long),
         .optimised = ask_peer(expression, true, options.peer_seconds, optimised_too_long)});
  }
  return points;
}

std::optional<double> growth_exponent(
    const std::vector<GrowthPoint>& points,
    const std::function<std::optional<double>(const GrowthPoint&)>& ns) {
  double count = 0;
  double sum_x = 0;
  double sum_y = 0;
  double sum_xx = 0;
  double sum_xy = 0;
  for (const GrowthPoint& point : points) {
    const std::optional<double> time = ns(point);
    if (!time || *time <= 0) {
      continue;
    }
    const double x = std::log(point.hosts);
    const double y = std::log(*time);
    count += 1;
    sum_x += x;
    sum_y += y;
    sum_xx += x * x;
    sum_xy += x * y;
  }
  const double spread = count * sum_xx - sum_x * sum_x;
  if (count < 2 || spread <= 0) {
    return std::nullopt;
  }
  return (count * sum_xy - sum_x * sum_y) / spread;
}

}  // namespace weir::bench
