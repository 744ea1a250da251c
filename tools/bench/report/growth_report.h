// What `weir bench --growth` prints.
#pragma once

#include <string>
#include <vector>

#include "tools/bench/growth.h"

namespace weir::tool {

struct GrowthReport {
  std::string machine;
  std::vector<bench::GrowthPoint> points;
};

// A list a row, milliseconds of CPU time, the exponents of the growth at the foot. Fits 80 columns.
std::string to_table(const GrowthReport& report);

// One line of JSON: {"machine","points":[{"hosts","libpcap_ns","libpcap-O_ns","weir_ns",
// "front_end_ns","optimise_ns","lower_ns","jit_ns","load_ns","classic_ns"},…],"exponents":{…}}; the
// stages are those of the way to XDP, null is what was not had in time.
std::string to_json(const GrowthReport& report);

}  // namespace weir::tool
