#include "tools/weir/version.h"

#include <fmt/format.h>

#include "cbpf/compile.h"
#include "xdp/kernel/load.h"

namespace weir::tool {

std::string version_page() {
  return fmt::format("weir {}\n{}\nlibbpf {}\n", WEIR_VERSION, cbpf::libpcap_version(),
                     xdp::libbpf_version());
}

}  // namespace weir::tool
