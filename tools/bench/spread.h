// What a list of measurements comes to.
#pragma once

#include <functional>
#include <vector>

namespace weir::bench {

struct Spread {
  double min = 0;
  double median = 0;
  double max = 0;
};

// The spread of a list that is not empty.
Spread spread_of(std::vector<double> values);

// The least CPU time in ns that `work` takes in three tries; one that takes longer than a second is
// not tried again.
double best_cpu_ns(const std::function<void()>& work);

}  // namespace weir::bench
