#include "cbpf/link_layer.h"

#include <pcap/dlt.h>

namespace weir::cbpf {

std::optional<std::uint32_t> link_header_length(int link_type) {
  switch (link_type) {
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
      return 0;
    case DLT_NULL:
    case DLT_LOOP:
    case DLT_C_HDLC:
      return 4;
    case DLT_ENC:
      return 12;
    case DLT_EN10MB:
      return 14;
    case DLT_LINUX_SLL:
      return 16;
    case DLT_APPLE_IP_OVER_IEEE1394:
    case DLT_NETANALYZER:  // 4 bytes of its own and an Ethernet header.
      return 18;
    case DLT_LINUX_SLL2:
      return 20;
    default:
      return std::nullopt;
  }
}

}  // namespace weir::cbpf
