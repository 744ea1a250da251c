// Folds tests of the packet's direction at hooks where all packets travel one way.
//
// The IR reads the extension `type` before; afterwards, at a hook of outbound packets, it has the
// constant PACKET_OUTGOING instead. At a hook of inbound packets the type is one of four, so the
// branches that have the same outcome for all four become jumps: `inbound` and `outbound`, which
// libpcap compiles to a compare with PACKET_OUTGOING. A function that reads the type in any other
// way keeps the read, and the lowering refuses it. Test: packet_direction_test, hooks_kernel_test.
#pragma once

#include "translator/ir/function.h"
#include "translator/lower/target/target.h"

namespace weir::lower {

// O(n).
void fold_packet_direction(ir::Function& function, PacketDirection direction);

}  // namespace weir::lower
