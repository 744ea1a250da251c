// What `weir bench --corpus` prints.
#pragma once

#include <span>
#include <string>

#include "tools/bench/filter_figures.h"

namespace weir::tool {

// A filter of the corpus that does not compile.
struct RefusedFilter {
  std::string name;
  std::string reason;
};

struct CorpusReport {
  std::string corpus;  // The file.
  std::string machine;
  std::span<const bench::FilterFigures> filters;  // At least one.
  std::span<const RefusedFilter> refused;
};

// Tables with a filter a row and medians at their feet: sizes, the verifier's work, executed
// instructions, set-up, user space hot and unseen, kernel. All fits 80 columns. A time is left out
// where replicates or rounds differ too much to believe it. At the end the claim of 2014
// (claim_2014.h) and whether it holds, where the engines of both designs were measured.
std::string to_table(const CorpusReport& report);

// One line of JSON: {"corpus","machine","filters":[{"name","link_type","filter","set_up",
// "instructions","executed","verifier","sections"},…],"medians":{"all":{…},"ordinary":{…}},
// "greatest","claim_2014","refused":[{"name","reason"},…]}. A time ends in the name of its unit.
// What could not be had is null, with the reason beside it under "skipped". "ordinary" are the
// filters of at most 100 instructions in libpcap's unoptimised code; the keys of the medians are
// "TABLE/COLUMN" of the tables, and those of "greatest", whose values are null or
// {"filter","number"}: "verifier/socket", "verifier/tc", "verifier/xdp". "claim_2014" is null or
// {"verdict" ("reproduced", "in part", "refuted"),"sentence","ratios":[{"engine","hot","filters",
// "of" ("all", "ordinary"),"median","min","smallest","max","largest"},…]} as claim_2014.h tells.
std::string to_json(const CorpusReport& report);

}  // namespace weir::tool
