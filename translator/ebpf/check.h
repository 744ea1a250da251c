// The structural rules of an extended program: what can be said without knowing where it runs.
#pragma once

#include <span>

#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"

namespace weir::ebpf {

// Every jump lands on an instruction (not in the middle of a 64-bit immediate), no instruction is
// unreachable, the last one does not fall off the end, r10 is never written, map indices exist,
// constant shifts are below the width and constant divisors are not 0. kInvalidProgram with the
// instruction's index as the place. O(n).
Status check(const Program& program);

}  // namespace weir::ebpf
