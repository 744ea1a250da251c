#include "tools/bench/measure/statistics.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "tools/bench/measure/clock.h"

namespace weir::bench {
namespace {

constexpr int kTries = 3;
constexpr double kLongNs = 1e9;
constexpr double kTolerated = 0.1;  // Noise as a share of the median.
constexpr double kNotch = 1.57;

// Linear between the two values nearest to it; `share` 0.5 is the median.
double quantile(std::span<const double> sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double median_of(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return quantile(sorted, 0.5);
}

double drift(std::span<const double> values) {
  const std::size_t half = values.size() / 2;
  return half == 0 ? 0 : std::abs(median_of(values.first(half)) - median_of(values.last(half))) / 2;
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  const double drifted = drift(values);
  std::sort(values.begin(), values.end());
  const double quartiles = quantile(values, 0.75) - quantile(values, 0.25);
  const double scattered = kNotch * quartiles / std::sqrt(static_cast<double>(values.size()));
  return {values.front(), quantile(values, 0.5), values.back(), std::max(drifted, scattered)};
}

double excess_noise(const Spread& spread, double least) {
  return spread.noise / std::max(least, kTolerated * std::abs(spread.median));
}

double best_cpu_ns(const std::function<void()>& work) {
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const std::uint64_t begin = thread_cpu_ns();
    work();
    const auto ns = static_cast<double>(thread_cpu_ns() - begin);
    best = i == 0 ? ns : std::min(best, ns);
    if (ns > kLongNs) {
      break;
    }
  }
  return best;
}

}  // namespace weir::bench
