// Fewer and better predictable operations in the place of several of a packet form.
//
// A dispatch that is mispredicted costs more than a load that was not needed. So tests with a
// common target are asked together, and where only verdicts are left the verdict is computed, not
// jumped to (code.h, from kFinal on). A load that an earlier test would have jumped over is inside
// the packet all the same: how many bytes there are is known by kFewer, kEnough and kPast alone,
// and no such operation stands between tests that become one. tests/translator/vm/fused_test.cpp
// runs every form against the checked machine. Price: one pass, O(n).
#pragma once

#include <span>

#include "translator/userspace/packet_program.h"
#include "translator/vm/code.h"

namespace weir::vm {

// `made` are the operations that `ops` became, one for one; `instructions` are the program's they
// come from, `labels` is handlers().
void make_superinstructions(std::span<const ebpf::PacketOp> ops,
                            std::span<const ebpf::Instruction> instructions,
                            std::span<const void* const> labels, std::span<Op> made);

}  // namespace weir::vm
