// Network interfaces of the network namespace one is in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cbpf/base/result.h"

namespace weir::xdp {

// By any of its names. kNoInterface, "no interface named 'x'", when there is none.
Result<std::uint32_t> interface_index(const std::string& name);

struct Interface {
  std::uint32_t index = 0;
  std::string name;
  // Its alternative names (`ip link property add`), by which the functions below find it, too.
  std::vector<std::string> other_names;
  // The kind of its link layer: ARPHRD_* of linux/if_arp.h.
  std::uint16_t hardware_type = 0;
  // True for the name and for each alternative one.
  bool is_named(const std::string& wanted) const;
  // The XDP program that runs there, by its id; 0 is none. A driver (native) and a generic one
  // exclude each other; one in the hardware may stand beside them.
  std::uint32_t native_program = 0;
  std::uint32_t generic_program = 0;
  std::uint32_t hardware_program = 0;
};

// One message of the kernel's list, nothing for one of another kind.
struct NetlinkMessage;
std::optional<Interface> parse_interface(const NetlinkMessage& message);

// Every interface, by index, with what stands at its XDP hook.
Result<std::vector<Interface>> interfaces();
// Of the interface with that index only the XDP programs; none of an interface that is not there.
Result<Interface> attached_xdp(std::uint32_t index);
// One of them; kNoInterface if it is not there.
Result<Interface> interface_named(const std::string& name);

// The number of the network namespace the calling thread is in (the inode of /proc/…/ns/net); 0
// when it cannot be told.
std::uint64_t network_namespace();

// The netmask of the interface's first IPv4 address, 255.255.255.0 being 0xffffff00; 0 where it has
// none, and where there is no such interface.
Result<std::uint32_t> interface_netmask(const std::string& name);

}  // namespace weir::xdp
