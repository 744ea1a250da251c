// DPDK's librte_bpf as a peer of the comparison, where its module was built.
#pragma once

#include <cstdint>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/program.h"
#include "tools/bench/compare.h"

namespace weir::bench {

// Whether the module lies beside this program or where it is installed. It may still not load.
bool dpdk_is_built();

// Its interpreter and its native code on what libpcap's optimiser made, "dpdk-interpreter-O" and
// "dpdk-jit-O", wanted with extended-interpreter and extended-jit; `optimised` as of peers(). DPDK
// has so many seconds to take a program. Nothing when the module is not built.
std::vector<Peer> dpdk_peers(const Result<cbpf::Program>& optimised, std::uint32_t seconds);

// The same of one program, to be run. Errors where DPDK is not there, takes the program not at all
// or not in time, or makes no native code of it (`native`); never a crash of this process.
Result<std::unique_ptr<engine::Prepared>> prepare_dpdk(const cbpf::Program& program, bool native,
                                                       std::uint32_t seconds);

}  // namespace weir::bench
