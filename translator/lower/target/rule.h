// What a standing rule adds to a program.
#pragma once

#include <string>

#include "translator/ebpf/rule_maps.h"

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

}  // namespace weir::lower
