// The rule that a program in the kernel carries, read back from its map ebpf::kRuleMap.
#pragma once

#include <optional>
#include <string>

#include "cbpf/base/result.h"
#include "xdp/carried_rule/rule_text.h"
#include "xdp/kernel/load.h"

namespace weir::xdp {

struct CarriedRule {
  std::optional<RuleText> rule;  // Nothing when the program is not one of weir's.
  // Why not, when a map has the name but is not what weir makes: "its map 'weir_rule' is a
  // percpu_hash, not an array". Else empty.
  std::string remark;
};

// A program is weir's only if one of its maps of that name is exactly what load() makes of a rule:
// an array of one entry with 4-byte keys, read-only for programs, frozen, its value a whole rule.
// Other maps of that name hide nothing. The caller holds a descriptor of the program, or its maps
// may go meanwhile. kSystem, kPermission when a map cannot be opened or read.
Result<CarriedRule> carried_rule(const ProgramInfo& program);

}  // namespace weir::xdp
