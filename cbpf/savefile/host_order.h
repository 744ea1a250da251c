// Headers before packets that are in the byte order of the machine that captured them: PFLOG's user
// and process ids, the CAN id after a Linux cooked header, Linux USB, NFLOG. libpcap turns them
// when it reads a file of the other byte order, and so does weir (libpcap 1.10.3, pcap-common.c).
#pragma once

#include <cstdint>
#include <span>

namespace weir::cbpf {

// Whether packets of this link type, a DLT_* number, may begin with such a header.
bool has_host_order_header(int dlt);

// Swaps the bytes of the fields that are captured. `wire_length` is the packet's on the wire.
void swap_host_order_header(int dlt, std::span<std::uint8_t> packet, std::uint32_t wire_length);

}  // namespace weir::cbpf
