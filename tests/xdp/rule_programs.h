// Rules as the attach command makes them, for tests of the kernel's side.
#pragma once

#include <cstdint>
#include <string>

#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"
#include "xdp/carried_rule/rule_text.h"

namespace weir::testing {

// The program of a rule for Ethernet, attached at 1790000000 in that network namespace.
Result<ebpf::Program> rule_program(const std::string& expression, ebpf::Action action,
                                   xdp::Hook hook, std::uint64_t network = 0);

}  // namespace weir::testing
