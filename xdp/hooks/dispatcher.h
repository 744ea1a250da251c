// libxdp's dispatcher: a program that calls up to ten others in turn, so that several can share an
// interface. Private to this folder.
//
// The dispatcher is a program whose functions are replaced by others (BPF_PROG_TYPE_EXT, kernel
// 5.10 and later, not on every kernel built since). It replaces only functions whose types it
// knows, so every program needs BTF; libxdp loads it itself, from an ELF object. Ours is made here,
// in memory: a stub of two instructions with the types, whose instructions are then exchanged for
// the real ones, maps already resolved. So it shares the maps of the program it is made of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "xdp/hooks/xdp_attach.h"
#include "xdp/kernel/load.h"

namespace weir::xdp {

// Why the dispatcher cannot work on this machine; empty when it can.
std::string why_no_dispatcher();

// Whether the program is a dispatcher by its name and its maps. libxdp reads the first map of
// anything of that name into a buffer for a plain array, so no other may reach it.
bool is_dispatcher(std::uint32_t program_id);

struct DispatcherEntry {
  std::uint32_t program_id = 0;
  XdpMode mode = XdpMode::kNative;
};

// Adds a copy of the program to the interface's dispatcher, which is made if there is none.
// kUnsupported when libxdp finds no dispatcher to load.
Result<DispatcherEntry> add_to_dispatcher(std::uint32_t interface, XdpMode mode,
                                          const LoadedProgram& program);

// What the dispatcher of that id on the interface calls, in order.
std::vector<DispatcherEntry> dispatcher_entries(std::uint32_t interface,
                                                std::uint32_t dispatcher_id, XdpMode mode);

// Takes one out; the dispatcher goes with the last. Fine when it is not there. libxdp 1.3.1 keeps
// descriptors of the programs it has looked at: they are detached at once, but leave the kernel
// only with the calling process.
Status remove_from_dispatcher(std::uint32_t interface, const DispatcherEntry& entry);

}  // namespace weir::xdp
