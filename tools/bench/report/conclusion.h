// The last lines of the comparison, in plain words.
#pragma once

#include <string>

#include "tools/bench/report/comparison_report.h"

namespace weir::tool {

// Three sentences, wrapped for a table: what was compared, which design is faster where and by how
// much (the fastest row of each design by its median, at every hook that was measured), and what to
// type next. A hook whose rows are too noisy or too cheap to tell apart is named as that.
std::string conclusion(const Report& report);

// How far two rows of a method have to be apart for a difference, in ns: the root of the sum of
// squares of what their rounds leave open, or as far as replicates are apart.
double difference_noise(const bench::Comparison& comparison, const bench::Row& one,
                        const bench::Row& other);

}  // namespace weir::tool
