// A piece of JSON that two reports share.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "tools/bench/filter_figures.h"

namespace weir::tool {

// {"hot","traffic","engines","bases","noise_ns"}, as comparison_report.h tells.
nlohmann::json section_json(const bench::Section& section);

}  // namespace weir::tool
