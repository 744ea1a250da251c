// The program that the engine kernel-socket runs.
#pragma once

#include <optional>

#include "cbpf/base/result.h"
#include "tools/engine/engine.h"
#include "translator/ebpf/program.h"
#include "translator/ebpf/skb_layout.h"

namespace weir::engine {

// How socket filters can read packets in place on the running kernel (xdp/kernel/skb_layout.h);
// nothing where they cannot. Found out once a process: a kernel's type information does not change.
const std::optional<ebpf::SkbLayout>& socket_layout();

// The filter for a socket of the running kernel: it reads packets in place where this kernel can,
// else by LD_ABS. Errors are translate()'s.
Result<ebpf::Program> socket_program(const Filter& filter);

}  // namespace weir::engine
