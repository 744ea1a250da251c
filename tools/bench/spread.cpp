#include "tools/bench/spread.h"

#include <algorithm>

#include "tools/bench/clock.h"

namespace weir::bench {
namespace {

constexpr int kTries = 3;
constexpr double kLongNs = 1e9;

}  // namespace

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {values.front(), median, values.back()};
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
