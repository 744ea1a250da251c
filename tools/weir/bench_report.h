// What `weir bench` prints.
#pragma once

#include <string>
#include <vector>

#include "tools/bench/compare.h"

namespace weir::tool {

// One traffic and what came of it.
struct Section {
  bool hot = false;
  bench::Comparison comparison;
};

struct Report {
  std::string filter;
  std::string machine;
  std::vector<Section> sections;  // At least one.
};

// "AMD EPYC, Linux 6.18.44, weir 0.1.0"
std::string this_machine();

// A table a section, a bar a row: as long as the engine is fast against the slowest of its method.
std::string to_table(const Report& report);

// One line of JSON:
// {"filter","traffic":{"source","packets","bytes","left_out"},"machine","engines":[{"name","design",
//  "instructions","native_bytes","matched","method","hot","ns_per_packet":{"min","median","max"},
//  "ratio","skipped"}],"sections":[{"traffic","hot","engines"},…]}
// where "traffic" and "engines" are those of the first section; ns_per_packet and ratio are null in
// a row that was skipped, and "skipped" is null in the others.
std::string to_json(const Report& report);

}  // namespace weir::tool
