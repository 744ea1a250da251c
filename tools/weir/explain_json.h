// The stages of one filter as JSON, for `explain -j`.
#pragma once

#include <string>

#include "cbpf/base/result.h"
#include "tools/weir/explain_page.h"

namespace weir::tool {

// What explain_page() shows, a field a stage: "expression", "link_type", "classic" and "extended"
// as `compile -j` has them and with a "listing", "ir" ("built" and "optimized", text; with
// every_pass "text" in each of the passes that changed it), "passes" (name, summary, changed,
// before and after: blocks, values, loads, needs; with times "ns"), "native" ("bytes", "listing";
// null where there is none) and "classic_optimized" (null where the filter has none). Errors as
// explain_page().
Result<std::string> explain_json(const FilterInput& input, const ExplainOptions& options);

}  // namespace weir::tool
