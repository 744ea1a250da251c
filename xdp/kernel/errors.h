// Refusals of the kernel as Errors. Private to this folder.
#pragma once

#include <string>

#include "cbpf/base/result.h"

namespace weir::xdp {

// "WHAT: strerror(number)"; kPermission for EPERM and EACCES, kNoInterface for ENODEV,
// kUnsupported for ENOSYS and EOPNOTSUPP, else kSystem.
Error system_error(const std::string& what, int number);

// libbpf and libxdp print warnings on stderr unless told not to; a library of weir's prints
// nothing. Idempotent.
void silence_libbpf();

}  // namespace weir::xdp
