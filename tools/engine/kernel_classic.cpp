// The engine kernel-classic: the program as SO_ATTACH_FILTER takes it, in the running kernel.
//
// The socket is one end of a local datagram pair, which needs no privilege and no network: a
// message that is sent runs through the receiver's filter at once. The filter's number is read off
// the length of what arrives (return_probe.h). Such a socket has no link layer, so a program that
// reads relative to one, or reads extensions, is refused here.
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tools/engine/engines.h"
#include "tools/engine/programs.h"
#include "tools/engine/return_probe.h"
#include "xdp/hooks/socket_filter.h"

namespace weir::engine {
namespace {

constexpr std::uint32_t kMostBytes = 65536;

// One variant of the program on its pair of sockets.
struct Pair {
  Fd sender;
  Fd receiver;
  xdp::Link link;
};

tl::unexpected<Error> system_failure(const char* what) {
  return fail(ErrorCode::kSystem, fmt::format("{}: {}", what, std::strerror(errno)));
}

Result<Pair> make_pair(const cbpf::Program& program) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) < 0) {
    return system_failure("socketpair");
  }
  Pair pair{Fd(fds[0]), Fd(fds[1]), {}};
  auto link = xdp::attach_classic(pair.receiver.get(), program);
  if (!link) {
    return tl::make_unexpected(link.error());
  }
  pair.link = std::move(*link);
  return pair;
}

// How many bytes of the packet the filter of this pair let through.
Result<std::uint32_t> length_let_through(const Pair& pair, Bytes packet) {
  if (send(pair.sender.get(), packet.data(), packet.size(), 0) < 0) {
    return system_failure("send");
  }
  std::uint8_t byte = 0;
  const ssize_t n = recv(pair.receiver.get(), &byte, 1, MSG_DONTWAIT | MSG_TRUNC);
  if (n >= 0) {
    return static_cast<std::uint32_t>(n);
  }
  if (errno != EAGAIN) {
    return system_failure("recv");
  }
  return 0;
}

class KernelClassic : public Prepared {
 public:
  KernelClassic(std::size_t instructions, ReturnProbe probe, std::vector<Pair> pairs)
      : instructions_(instructions),
        probe_(std::move(probe)),
        pairs_(std::move(pairs)),
        lengths_(pairs_.size()) {}

  bool can_run(const cbpf::Packet& packet) const override {
    return packet.captured.size() == packet.wire_length &&
           packet.wire_length >= probe_.least_packet && packet.wire_length <= kMostBytes;
  }

  Status run(std::span<const cbpf::Packet> packets, std::span<std::uint32_t> results) override {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      for (std::size_t p = 0; p < pairs_.size(); ++p) {
        const auto length = length_let_through(pairs_[p], packets[i].captured);
        if (!length) {
          return tl::make_unexpected(length.error());
        }
        lengths_[p] = *length;
      }
      results[i] = probe_.value(lengths_);
    }
    return {};
  }

  Footprint footprint() const override { return {static_cast<std::uint32_t>(instructions_), 0}; }

 private:
  std::size_t instructions_;
  ReturnProbe probe_;
  std::vector<Pair> pairs_;
  std::vector<std::uint32_t> lengths_;
};

bool reads_link_layer(const cbpf::Program& program) {
  return std::any_of(program.instructions.begin(), program.instructions.end(),
                     [](const cbpf::Instruction& instruction) {
                       const cbpf::Code of_class = cbpf::class_of(instruction.code);
                       const cbpf::Code mode = cbpf::mode_of(instruction.code);
                       const bool absolute = (of_class == cbpf::kLd && mode == cbpf::kAbs) ||
                                             (of_class == cbpf::kLdx && mode == cbpf::kMsh);
                       return absolute && instruction.k >= cbpf::kLinkOffset;
                     });
}

}  // namespace

PreparedResult prepare_kernel_classic(const Filter& filter) {
  const auto whole = classic_program(filter);
  if (!whole) {
    return tl::make_unexpected(whole.error());
  }
  const cbpf::Program& program = whole->program();
  // The kernel reads every program in its own dialect, so it has to pass that dialect's rules.
  if (auto valid = cbpf::validate(program, cbpf::Dialect::kLinux); !valid) {
    return fail(ErrorCode::kUnsupported,
                "the kernel takes no such program: " + to_string(valid.error()));
  }
  if (filter.program.extensions() != 0 || reads_link_layer(program)) {
    return fail(ErrorCode::kUnsupported,
                "a local socket has no link layer and no metadata to read");
  }
  ReturnProbe probe = make_return_probe(program);
  std::vector<Pair> pairs;
  for (const cbpf::Program& variant : probe.variants) {
    auto pair = make_pair(variant);
    if (!pair) {
      return tl::make_unexpected(pair.error());
    }
    pairs.push_back(std::move(*pair));
  }
  return std::make_unique<KernelClassic>(program.instructions.size(), std::move(probe),
                                         std::move(pairs));
}

}  // namespace weir::engine
