#include "cbpf/link_type.h"

namespace weir::cbpf {
namespace {

// Where the two numberings differ.
struct Pair {
  int dlt;
  std::uint32_t linktype;
};
constexpr Pair kDifferent[] = {
    {11, 100},  // ATM_RFC1483
    {12, 101},  // RAW
    {15, 102},  // SLIP_BSDOS
    {16, 103},  // PPP_BSDOS
    {19, 106},  // ATM_CLIP
};

}  // namespace

int dlt_of_linktype(std::uint32_t linktype) {
  for (const Pair& pair : kDifferent) {
    if (pair.linktype == linktype) {
      return pair.dlt;
    }
  }
  return static_cast<int>(linktype);
}

std::uint32_t linktype_of_dlt(int dlt) {
  for (const Pair& pair : kDifferent) {
    if (pair.dlt == dlt) {
      return pair.linktype;
    }
  }
  return static_cast<std::uint32_t>(dlt);
}

std::uint32_t max_captured_length(int dlt) {
  switch (dlt) {
    case 231:  // DBUS
      return 128U << 20;
    case 279:  // EBHSCR
      return 8U << 20;
    case 249:  // USBPCAP
      return 1U << 20;
    default:
      return 1U << 18;
  }
}

}  // namespace weir::cbpf
