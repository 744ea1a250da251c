// The captures that come with weir.
#pragma once

#include <string>
#include <vector>

namespace weir::tool {

// The bundled captures of Ethernet traffic, sorted: from the folder WEIR_PCAPS names, or pcaps/ of
// the source tree the running binary was built in, or share/weir/pcaps beside its bin/. Empty when
// there is no such folder.
std::vector<std::string> bundled_ethernet_captures();

}  // namespace weir::tool
