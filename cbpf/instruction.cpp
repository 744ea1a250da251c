#include "cbpf/instruction.h"

namespace weir::cbpf {

std::string_view extension_name(Extension extension) {
  switch (extension) {
    case Extension::kProtocol:
      return "proto";
    case Extension::kPktType:
      return "type";
    case Extension::kIfIndex:
      return "ifidx";
    case Extension::kNla:
      return "nla";
    case Extension::kNlaNested:
      return "nlan";
    case Extension::kMark:
      return "mark";
    case Extension::kQueue:
      return "queue";
    case Extension::kHaType:
      return "hatype";
    case Extension::kRxHash:
      return "rxhash";
    case Extension::kCpu:
      return "cpu";
    case Extension::kAluXorX:
      return "xor_x";
    case Extension::kVlanTci:
      return "vlan_tci";
    case Extension::kVlanAvail:
      return "vlan_avail";
    case Extension::kPayOffset:
      return "poff";
    case Extension::kRandom:
      return "rand";
    case Extension::kVlanTpid:
      return "vlan_tpid";
  }
  return "";
}

std::optional<Extension> extension_at(std::uint32_t k) {
  const std::uint32_t number = k - kAncillaryOffset;
  if (k < kAncillaryOffset || number > static_cast<std::uint32_t>(Extension::kVlanTpid) ||
      number % 4 != 0) {
    return std::nullopt;
  }
  return static_cast<Extension>(number);  // Every multiple of 4 up to the last names one.
}

}  // namespace weir::cbpf
