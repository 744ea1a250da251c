// IR to extended programs, for every target.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"
#include "translator/ir/function.h"
#include "translator/lower/target/rule.h"
#include "translator/lower/target/target.h"

namespace weir::lower {

// Lowers a checked function. Without a rule the program returns the accept length where the target
// can show it, else the target's pass for a match and its drop for none.
//
// kUnsupported, naming the extension and the target, when the function reads an extension that the
// target does not answer; kUnsupported when it needs more than 512 bytes of stack.
Result<ebpf::Program> to_extended(const ir::Function& function, const Target& target,
                                  const std::optional<Rule>& rule = std::nullopt);

}  // namespace weir::lower
