#include "xdp/hooks/socket_filter.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "cbpf/validate.h"
#include "xdp/kernel/capabilities.h"
#include "xdp/kernel/errors.h"
#include "xdp/kernel/interface.h"

namespace weir::xdp {
namespace {

tl::unexpected<Error> attach_error(int number) {
  switch (number) {
    case EINVAL:
      return fail(ErrorCode::kInvalidProgram, "the kernel refused the classic program");
    case ENOMEM:
      return fail(ErrorCode::kUnsupported,
                  "the filter is larger than net.core.optmem_max lets a socket have");
    case EPERM:
      return fail(ErrorCode::kBusy, "the filter of the socket is locked");
    default:
      return tl::make_unexpected(system_error("attaching a filter to a socket", number));
  }
}

// The kernel turns a classic program into instructions of its own, whose jumps have 16 bits
// (net/core/filter.c, bpf_convert_filter): a jump over some thousand loads does not fit, although
// the program breaks no rule.
tl::unexpected<Error> classic_error(int number, const cbpf::Program& program) {
  if (number == EINVAL && cbpf::validate(program, cbpf::Dialect::kLinux)) {
    return fail(
        ErrorCode::kUnsupported,
        "the program is valid, but a jump in it is too long for the instructions that the "
        "kernel translates it to; attach the extended program instead, or a shorter filter");
  }
  return attach_error(number);
}

// The caller may have closed the socket, and the filter with it.
Link socket_link(int socket) {
  return Link([socket]() -> Status {
    const int unused = 0;
    if (setsockopt(socket, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) != 0 &&
        errno != ENOENT && errno != EBADF) {
      return tl::make_unexpected(system_error("detaching the filter of a socket", errno));
    }
    return {};
  });
}

}  // namespace

Result<Fd> open_packet_socket() {
  // Protocol 0 receives nothing until it is bound to one.
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    if (errno == EPERM) {
      return tl::make_unexpected(
          missing_privilege("opening a packet socket", {Capability::kNetRaw}));
    }
    return tl::make_unexpected(system_error("opening a packet socket", errno));
  }
  return fd;
}

Status bind_packet_socket(int socket, const std::string& interface) {
  const auto index = interface_index(interface);
  if (!index) {
    return tl::make_unexpected(index.error());
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(*index);
  if (bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return tl::make_unexpected(
        system_error(fmt::format("binding a packet socket to '{}'", interface), errno));
  }
  return {};
}

Result<Link> attach_classic(int socket, const cbpf::Program& program) {
  if (program.instructions.size() > cbpf::kMaxLinuxInstructions) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("the kernel takes {} classic instructions, not {}",
                            cbpf::kMaxLinuxInstructions, program.instructions.size()));
  }
  std::vector<sock_filter> wire;
  wire.reserve(program.instructions.size());
  for (const cbpf::Instruction& i : program.instructions) {
    wire.push_back({i.code, i.jt, i.jf, i.k});
  }
  const sock_fprog filter{static_cast<std::uint16_t>(wire.size()), wire.data()};
  if (setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0) {
    return classic_error(errno, program);
  }
  return socket_link(socket);
}

Result<Link> attach_socket_filter(int socket, const LoadedProgram& program) {
  const int fd = program.fd();
  if (setsockopt(socket, SOL_SOCKET, SO_ATTACH_BPF, &fd, sizeof(fd)) != 0) {
    return attach_error(errno);
  }
  return socket_link(socket);
}

}  // namespace weir::xdp
