// The way from a classic program to an extended one, on one screen.
#pragma once

#include <optional>

#include "cbpf/base/result.h"
#include "cbpf/validate.h"
#include "translator/ebpf/program.h"
#include "translator/lower/to_extended.h"
#include "translator/opt/pass.h"

namespace weir {

struct TranslateOptions {
  int link_type = 1;  // A DLT_* number.
  lower::TargetId target = lower::TargetId::kUser;
  std::optional<lower::Rule> rule;
  opt::PassOptions passes;
};

// Build, put the VLAN tag back where the hook takes it out, optimise, lower, check. Errors are
// those of the steps.
Result<ebpf::Program> translate(const cbpf::ValidatedProgram& program,
                                const TranslateOptions& options = {});

}  // namespace weir
