// The JSON of programs, the same for every command that prints them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cbpf/program.h"
#include "translator/ebpf/program.h"
#include "translator/lower/target/target.h"

namespace weir::tool {

// {"count": n, "instructions": [[code, jt, jf, k], ...]}
nlohmann::json to_json(const cbpf::Program& program);

// {"target", "count", "instructions": [hexadecimal, 16 digits each], "maps": [{"name", "data"}]};
// there may be no maps, and a map's data may be empty.
nlohmann::json to_json(const ebpf::Program& program, lower::TargetId target);

}  // namespace weir::tool
