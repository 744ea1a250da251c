// The classic programs that the comparison sets beside weir's engines.
#pragma once

#include <vector>

#include "tools/bench/compare.h"

namespace weir::bench {

// The filter as weir's own optimiser leaves it for the machine of 1993. Errors of
// translate_classic().
Result<cbpf::ValidatedProgram> weir_classic(const engine::Filter& filter);

// libpcap's optimised program ("-O") and weir's ("-weir") where classic programs run:
// "classic-interpreter-O", "libpcap-O", "kernel-classic-O", "kernel-tc-classic-O" and the same with
// "-weir"; and what `filter` is as a classic program at tc, "kernel-tc-classic".
// `optimised` is libpcap's, or why there is none.
std::vector<Peer> peers(const engine::Filter& filter, const Result<cbpf::Program>& optimised);

}  // namespace weir::bench
