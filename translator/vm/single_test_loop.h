// Programs that one operation decides, as `arp` or `icmp`: tests with a verdict on every side
// (handler::kFinal, kFinalPair); and `ether host`, two of them. What every packet costs is most of
// what they cost, so that a batch is one loop without dispatch. tests/translator/vm/fused_test.cpp
// runs every form of it against the checked machine.
#pragma once

#include <span>

#include "translator/vm/code.h"

namespace weir::vm {

// The loop for the packet operations of `code`, or null where they are not of that kind. `labels`
// is handlers().
BatchLoop single_test_loop(const Code& code, std::span<const void* const> labels);

}  // namespace weir::vm
