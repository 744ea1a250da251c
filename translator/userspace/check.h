// What machines in user space refuse before they run a program.
#pragma once

#include <span>

#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"
#include "translator/userspace/run.h"

namespace weir::ebpf {

// kInvalidProgram with the instruction as the place: a jump or call to no instruction, a last
// instruction that falls through, a write to r10, a field no wire form can hold. kUnsupported: a
// helper that is not among `helpers`, a kernel function, a map or variable other than read-only
// data by index (kMapValueIndex), a legacy packet load unless asked for. The first in the program's
// order is told. Less than check() asks: what RFC 9669 defines may run, be it never reached. O(n).
Status check_for_user_space(const Program& program, std::span<const Helper> helpers,
                            bool legacy_packet_access);

// How many bytes below r10 the first frame of a run may touch, a multiple of 8: what loads and
// stores reach where r10 is only their base; a whole frame where it goes elsewhere, and where there
// are local calls. O(n).
std::size_t stack_bytes(const Program& program);

}  // namespace weir::ebpf
