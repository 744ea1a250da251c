#include "xdp/kernel/errors.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <xdp/libxdp.h>

#include <cerrno>
#include <cstring>

namespace weir::xdp {
namespace {

ErrorCode code_of(int number) {
  switch (number) {
    case EPERM:
    case EACCES:
      return ErrorCode::kPermission;
    case ENODEV:
      return ErrorCode::kNoInterface;
    case ENOSYS:
    case EOPNOTSUPP:
      return ErrorCode::kUnsupported;
    default:
      return ErrorCode::kSystem;
  }
}

}  // namespace

Error system_error(const std::string& what, int number) {
  return {code_of(number), fmt::format("{}: {}", what, std::strerror(number)), {}, {}};
}

void silence_libbpf() {
  libbpf_set_print(nullptr);
  libxdp_set_print(nullptr);
}

}  // namespace weir::xdp
