// The two numberings of link types. Files are written with LINKTYPE_* numbers, which are the same
// everywhere; programs use DLT_* numbers, which differ a little from system to system. These are
// Linux's, as libpcap 1.10.3 maps them (pcap-common.c).
#pragma once

#include <cstdint>

namespace weir::cbpf {

// The DLT_* number of a file's link type; a number that stands for nothing is kept as it is.
int dlt_of_linktype(std::uint32_t linktype);

// The number a file has for a DLT_* number.
std::uint32_t linktype_of_dlt(int dlt);

// How many captured bytes a packet of the link type can have at most; a file that claims more is
// damaged (MAXIMUM_SNAPLEN, and more for the few that carry large messages).
std::uint32_t max_captured_length(int dlt);

}  // namespace weir::cbpf
