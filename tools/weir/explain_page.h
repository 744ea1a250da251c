// One filter on one page: every stage of its way from an expression to both machines.
#pragma once

#include <string>

#include "cbpf/base/result.h"
#include "tools/weir/filter_input.h"
#include "translator/lower/target/target.h"

namespace weir::tool {

struct ExplainOptions {
  lower::TargetId target = lower::TargetId::kUser;
  std::vector<std::string> passes;  // As opt::PassOptions::passes.
  bool every_pass = false;          // Show the function after each pass that changed it.
  bool times = false;               // Say what each pass took.
  bool native = true;               // Show the machine code, which differs between processors.
};

// The page: expression, classic program, IR as built, what each pass did, IR after the passes (or
// after each), extended program, the machine code of the target `user`, and the classic program as
// weir optimises it. Plain text, a heading a stage.
Result<std::string> explain_page(const FilterInput& input, const ExplainOptions& options);

}  // namespace weir::tool
