// The captures that come with weir.
#pragma once

#include <string>
#include <vector>

namespace weir::tool {

struct BundledCaptures {
  std::vector<std::string> files;    // Of Ethernet traffic, sorted.
  std::vector<std::string> folders;  // Where they were looked for, in order.
};

// From the folder WEIR_PCAPS names, or pcaps/ of the source tree the running binary was built in,
// or share/weir/pcaps beside its bin/, or that of the prefix weir was configured for. No files when
// none of these folders has one.
BundledCaptures bundled_ethernet_captures();

}  // namespace weir::tool
