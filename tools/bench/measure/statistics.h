// What a list of measurements comes to.
#pragma once

#include <functional>
#include <vector>

namespace weir::bench {

struct Spread {
  double min = 0;
  double median = 0;
  double max = 0;
  double noise = 0;  // How far off the median may be, in the unit of the values.
};

// The spread of a list that is not empty, in the order of measuring. The noise is the larger of two
// estimates: half of the median's 95 % interval, 1.57 interquartile ranges over the root of the
// count (McGill, Tukey and Larsen, Variations of Box Plots, 1978), which sees values that scatter,
// and half of the distance between the medians of the first and the second half of the list, which
// sees a drift.
Spread spread_of(std::vector<double> values);

// The noise over the noise that is tolerated, which is a tenth of the median or `least`, whichever
// is more. Above 1 the median is not to be believed.
double excess_noise(const Spread& spread, double least);

// The least CPU time in ns that `work` takes in three tries; one that takes longer than a second is
// not tried again.
double best_cpu_ns(const std::function<void()>& work);

}  // namespace weir::bench
