// DPDK's librte_bpf as another's machine: it translates a classic program for itself, and
// interprets what came out or makes native code of it. Only its public functions are called.
//
// All that needs DPDK is one loadable module, which is built where pkg-config knows libdpdk. What
// is not measured against DPDK never loads it. Both sides are built together, so C++ crosses here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/instruction.h"
#include "cbpf/packet.h"

namespace weir::dpdk {

class Loaded;  // A program that DPDK took, and the packet buffers it is shown.

struct Size {
  std::uint32_t instructions = 0;
  std::uint32_t native_bytes = 0;  // 0 where DPDK made no native code.
};

struct Module {
  // What load() takes, made by rte_bpf_convert(). That one needs DPDK's environment, which is
  // started here and never ended: threads, 64 MB, a pinned processor. So call it once, in a process
  // that is given up afterwards. kUnsupported where DPDK refuses.
  Result<std::vector<std::uint8_t>> (*translate)(std::span<const cbpf::Instruction> program);

  // Needs no environment. DPDK's own check of the program may take very long. kUnsupported where
  // it refuses.
  Result<Loaded*> (*load)(std::span<const std::uint8_t> translated);
  void (*unload)(Loaded* program);
  Size (*size)(const Loaded& program);

  // Shows it packets of at most kLongestPacket bytes, each a buffer of one segment that is as long
  // as what was captured, and takes its answers; one of more than 32 bits is 0xffffffff. `native`
  // takes the native code, which has to be there. Both spans are of one length.
  void (*run)(Loaded& program, bool native, std::span<const cbpf::Packet> packets,
              std::span<std::uint32_t> results);
};

inline constexpr std::uint32_t kLongestPacket = 0xffff;  // A buffer's length has 16 bits.

// The module's file, and the one function it exports, `const Module* weir_dpdk_module()`.
inline constexpr char kModuleFile[] = "weir_dpdk.so";
inline constexpr char kModuleSymbol[] = "weir_dpdk_module";

}  // namespace weir::dpdk
