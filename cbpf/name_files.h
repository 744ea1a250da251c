// The names that a machine adds in its own files: /etc/protocols, services, hosts, networks and
// ethers. Only files are read: no name service switch, no network.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/known_names.h"

namespace weir::cbpf {

// What a name means, the file's first entry for it; nothing where the file has no such name.
// kSystem with the file's path where it cannot be read. O(n) for the file, of which 16 MiB are read
// at most. `folder` is "/etc" but for tests.
Result<std::optional<std::uint16_t>> protocol_in_file(const std::string& folder,
                                                      std::string_view name);
Result<std::optional<std::uint16_t>> port_in_file(const std::string& folder, std::string_view name,
                                                  Transport transport);
// The text of the network's number ("127.0.0.0"), and of the MAC address.
Result<std::optional<std::string>> network_in_file(const std::string& folder,
                                                   std::string_view name);
Result<std::optional<std::string>> ethernet_address_in_file(const std::string& folder,
                                                            std::string_view name);
// The texts of all addresses of the host, in the order of the file.
Result<std::vector<std::string>> addresses_in_file(const std::string& folder,
                                                   std::string_view name);

}  // namespace weir::cbpf
