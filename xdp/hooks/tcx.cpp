#include "xdp/hooks/tcx.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cerrno>

#include "xdp/kernel/capabilities.h"
#include "xdp/kernel/errors.h"

namespace weir::xdp {
namespace {

// Of enum bpf_attach_type since Linux 6.6, which the headers of Debian 12 do not have.
constexpr int kTcxIngress = 46;
constexpr int kTcxEgress = 47;
constexpr std::uint32_t kMostPrograms = 256;  // The kernel takes 64 (BPF_MPROG_MAX).

}  // namespace

Result<std::vector<std::uint32_t>> tcx_programs(std::uint32_t interface, TcDirection direction) {
  std::vector<std::uint32_t> ids(kMostPrograms);
  std::uint32_t count = kMostPrograms;
  const auto type =
      static_cast<bpf_attach_type>(direction == TcDirection::kIngress ? kTcxIngress : kTcxEgress);
  // The interface's index is in the same place as the descriptor of other attachment types.
  if (bpf_prog_query(static_cast<int>(interface), type, 0, nullptr, ids.data(), &count) == 0) {
    ids.resize(count < kMostPrograms ? count : kMostPrograms);
    return ids;
  }
  switch (errno) {
    case EINVAL:  // An attachment type that this kernel does not know, or has not built.
    case EOPNOTSUPP:
    case ENOENT:
      return std::vector<std::uint32_t>{};
    case EPERM:
      return tl::make_unexpected(
          missing_privilege("listing tcx programs", {Capability::kNetAdmin}));
    default:
      return tl::make_unexpected(system_error("listing tcx programs", errno));
  }
}

}  // namespace weir::xdp
