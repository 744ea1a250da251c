// The program that the engine kernel-socket runs.
#pragma once

#include "cbpf/base/result.h"
#include "tools/engine/engine.h"
#include "translator/ebpf/program.h"

namespace weir::engine {

// The filter for a socket of the running kernel: it reads packets in place where this kernel can
// (xdp/skb_layout.h), else by LD_ABS. What the kernel can is found out once a process: its type
// information does not change while it runs. Errors are translate()'s.
Result<ebpf::Program> socket_program(const Filter& filter);

}  // namespace weir::engine
