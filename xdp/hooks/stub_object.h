// An ELF object with one XDP program of two instructions and its types (BTF). Private to this
// folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cbpf/base/result.h"

namespace weir::xdp {

// `int NAME(struct xdp_md *ctx) { return XDP_PASS; }` in the section "xdp", licence "Dual BSD/GPL".
// In the byte order of this machine. kSystem when memory runs out.
Result<std::vector<std::uint8_t>> stub_object(const std::string& name);

}  // namespace weir::xdp
