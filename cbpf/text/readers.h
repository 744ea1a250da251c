// One reader a text form; from_text() of text.h chooses. Each takes the whole text and is described
// there.
#pragma once

#include <string_view>

#include "cbpf/base/result.h"
#include "cbpf/program.h"

namespace weir::cbpf {

Result<Program> read_listing(std::string_view text);
Result<Program> read_c_array(std::string_view text);
Result<Program> read_decimal(std::string_view text);
Result<Program> read_xt_bpf(std::string_view text);
Result<Program> read_json(std::string_view text);

}  // namespace weir::cbpf
