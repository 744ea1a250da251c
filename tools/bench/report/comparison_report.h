// What `weir bench` prints.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/bench/filter_figures.h"

namespace weir::tool {

using bench::Section;

struct Report {
  std::string filter;
  std::string machine;
  std::vector<Section> sections;  // At least one.
};

// "AMD EPYC, Linux 6.18.44, weir 0.1.0"
std::string this_machine();

// A table per section, and the conclusion. A row that is not to be believed says "noisy" in the
// place of its ratio. With `bars`, for a terminal that can draw them, a row
// ends with one: as long as the engine is slow against the slowest of its method. The ratio of a
// row is its base's median over its own. Fits 100 columns, but for the processor's name and the
// filter.
std::string to_table(const Report& report, bool bars);

// One line of JSON:
// {"filter","machine","sections":[{"hot","traffic":{"source","packets","bytes","left_out"},
//  "engines":[{"name","design","instructions","native_bytes","matched","method",
//  "ns_per_packet":{"min","median","max"},"noise_ns","noisy","ratio","ratio_to_base","skipped",
//  "wrong"}],"bases","noise_ns"},…]}
// ns_per_packet, its noise and the ratios are null in a row that was skipped, and "skipped" is null
// in the others. A row's "noise_ns" is how far off its median may be; "noisy" rows are not to be
// believed and have no ratio. The "noise_ns" of a section is how far the replicates of each method
// are apart. "ratio" is libpcap's time over the row's, "ratio_to_base" that of its method's row in
// "bases". "wrong" is null but in the row of a peer that is not right,
// {"packets","shown","packet","got","right","crashed","inherited","bytes"} as bench::Wrong tells,
// the bytes in hex, "got" null where it crashed.
std::string to_json(const Report& report);

// The short name of a method in JSON: "loop", "socket slope", "tc slope", "live frames".
std::string_view method_name(bench::Method method);

// What to say where the classic program is the better choice at a socket by more than 2 ns and the
// noise; nothing where it is not.
std::optional<std::string> socket_advice(const bench::Comparison& comparison);

}  // namespace weir::tool
