// IR to extended programs, for every target.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"
#include "translator/ebpf/rule_maps.h"
#include "translator/ir/function.h"
#include "translator/lower/target.h"

namespace weir::lower {

using ebpf::Action;
using ebpf::Counter;
using ebpf::kCounterMap;
using ebpf::kRuleMap;

// A standing rule: the program counts every packet and carries its own expression.
struct Rule {
  Action action = Action::kCount;
  std::string text;  // Kept in the program's read-only map kRuleMap; any bytes.
};

// Lowers a checked function. Without a rule the program returns the accept length where the target
// can show it, else the target's pass for a match and its drop for none.
//
// kUnsupported, naming the extension and the target, when the function reads an extension that the
// target does not answer; kUnsupported when it needs more than 512 bytes of stack.
Result<ebpf::Program> to_extended(const ir::Function& function, const Target& target,
                                  const std::optional<Rule>& rule = std::nullopt);

}  // namespace weir::lower
