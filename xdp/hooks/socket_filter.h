// The hook of 1993: a filter on a socket.
#pragma once

#include <string>

#include "cbpf/base/fd.h"
#include "cbpf/base/result.h"
#include "cbpf/program.h"
#include "xdp/hooks/link.h"
#include "xdp/kernel/load.h"

namespace weir::xdp {

// An AF_PACKET socket of whole frames that receives nothing yet. Attach its filter, then bind it:
// so no packet slips in unfiltered. Not inherited by child processes. kPermission without
// CAP_NET_RAW.
Result<Fd> open_packet_socket();

// From here on the socket receives what passes on the interface in both directions. kNoInterface.
Status bind_packet_socket(int socket, const std::string& interface);

// Attaches a classic program (SO_ATTACH_FILTER) to any socket; replaces a filter that is already
// there. The kernel reads it in its own dialect (cbpf::Dialect::kLinux) and starts it at the link
// layer on an AF_PACKET socket. The link detaches it as long as the socket is open; the descriptor
// stays the caller's.
//
// kInvalidProgram when the kernel's check refuses it; kUnsupported when a jump is too long for the
// instructions that the kernel translates it to, when it is longer than
// cbpf::kMaxLinuxInstructions or than net.core.optmem_max allows; kBusy when the socket's filter is
// locked.
Result<Link> attach_classic(int socket, const cbpf::Program& program);

// The same for an extended program of type kSocketFilter (SO_ATTACH_BPF).
Result<Link> attach_socket_filter(int socket, const LoadedProgram& program);

}  // namespace weir::xdp
