// The XDP hook: a program that sees each frame before the network stack does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"
#include "xdp/hooks/link.h"
#include "xdp/kernel/interface.h"
#include "xdp/kernel/load.h"

namespace weir::xdp {

enum class XdpMode : std::uint8_t {
  kNative,   // In the driver, before the kernel makes an skb.
  kGeneric,  // After that, on any interface; slower.
};

// "native", "generic".
std::string_view xdp_mode_name(XdpMode mode);

struct XdpOptions {
  XdpMode mode = XdpMode::kNative;
  // Replace the program at the hook, weir's or not, by one operation of the kernel: every packet
  // meets the one or the other. A program in libxdp's dispatcher is in no other's way and is left.
  bool force = false;
  // The same, but only of the program with this id; 0 is none.
  std::uint32_t replaced = 0;
  // Allow what takes two operations, between which no program is attached: a replacement in the
  // other mode.
  bool with_gap = false;
  // Attach the program itself, not through libxdp's dispatcher: one that is loaded for an interface
  // (LoadOptions::interface) cannot be called by another. It does not replace a dispatcher.
  bool alone = false;
};

struct XdpAttachment {
  // Undoing puts a replaced program back, as it was replaced: in one operation, or with a gap.
  Link link;
  // The program that runs: another than the one loaded when libxdp's dispatcher calls it, since the
  // dispatcher needs its own kind (BPF_PROG_TYPE_EXT). Both share their maps.
  std::uint32_t program_id = 0;
  // Whether several programs can share the interface (libxdp's dispatcher).
  bool dispatcher = false;
  // When they cannot, why: "the kernel has no program extensions (BPF_PROG_TYPE_EXT)".
  std::string fallback;
};

// Attaches a program of type kXdp. Through libxdp's dispatcher where the kernel and the machine
// have what that needs (BPF_PROG_TYPE_EXT, a mounted bpffs, the dispatcher's object file): it joins
// the programs already there. Else, and where it replaces a program that is alone, it is alone.
//
// kBusy, naming the program in the way and its id, when that cannot be joined and may not be
// replaced, or is replaced by another process meanwhile. kUnsupported when a replacement would need
// a gap; when the driver has no XDP or refuses in its own words. kNoInterface; kPermission.
// Whatever fails, the program that was there still is.
Result<XdpAttachment> attach_xdp(const std::string& interface, const LoadedProgram& program,
                                 const XdpOptions& options = {});

// A program that stands at the XDP hook of an interface.
struct XdpStanding {
  std::uint32_t program_id = 0;
  XdpMode mode = XdpMode::kNative;
  bool in_dispatcher = false;
};

// Those of one interface: one, or those its dispatcher calls in their order. Programs in the
// hardware are left out.
Result<std::vector<XdpStanding>> xdp_programs(const std::string& interface);
std::vector<XdpStanding> xdp_programs(const Interface& interface);

// Takes one of them away. Fine when it no longer stands there.
Status detach_xdp(std::uint32_t interface, const XdpStanding& standing);

}  // namespace weir::xdp
