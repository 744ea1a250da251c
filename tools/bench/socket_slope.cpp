#include "tools/bench/socket_slope.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <optional>

#include "tools/bench/clock.h"
#include "translator/ebpf/assembler.h"
#include "xdp/load.h"
#include "xdp/private_network.h"
#include "xdp/socket_filter.h"
#include "xdp/xdp_attach.h"

namespace weir::bench {
namespace {

constexpr std::size_t kEmptyReplicates = 3;
constexpr std::size_t kBatch = 64;  // Packets a sendmmsg call.
constexpr std::uint32_t kWarmUps = 2;

// The classic program with every return made 0: it costs the same and queues nothing.
cbpf::Program returning_nothing(cbpf::Program program) {
  for (cbpf::Instruction& instruction : program.instructions) {
    if (cbpf::class_of(instruction.code) == cbpf::kRet) {
      instruction = {cbpf::kRet | cbpf::kK, 0, 0, 0};
    }
  }
  return program;
}

// The same for an extended program: every exit becomes a jump to one that gives 0.
ebpf::Program returning_nothing(ebpf::Program program) {
  const auto size = static_cast<std::int32_t>(ebpf::slot_count(program.instructions));
  std::int32_t at = 0;
  for (ebpf::Instruction& instruction : program.instructions) {
    if (std::holds_alternative<ebpf::Exit>(instruction)) {
      instruction = ebpf::Jump{.op = ebpf::JumpOp::kJa, .offset = size - at - 1};
    }
    at += static_cast<std::int32_t>(ebpf::slots(instruction));
  }
  program.instructions.push_back(ebpf::Alu{.is64 = false, .dst = ebpf::Reg::kR0, .src = 0});
  program.instructions.push_back(ebpf::Exit{});
  program.origins.resize(program.instructions.size(), 0xffffffff);
  return program;
}

ebpf::Program drop_everything() {
  constexpr std::int32_t kXdpDrop = 1;
  ebpf::Assembler assembler;
  assembler.emit(ebpf::Alu{.is64 = false, .dst = ebpf::Reg::kR0, .src = kXdpDrop});
  assembler.emit(ebpf::Exit{});
  return std::move(assembler).finish();
}

// A variant ready to be measured: its veth pair, its sockets, what sends into it.
struct Lane {
  xdp::Link drop;
  std::vector<Fd> sockets;
  std::vector<xdp::Link> filters;
  Fd injector;
  std::vector<double> ns;  // Per packet, by round, with everything.
};

Result<xdp::Link> attach_filter(int socket, const SlopeVariant& variant,
                                const std::optional<xdp::LoadedProgram>& loaded) {
  return loaded ? xdp::attach_socket_filter(socket, *loaded)
                : xdp::attach_classic(socket, returning_nothing(*variant.classic));
}

// Every copy of an extended filter is a program of its own, as every classic one is.
Status add_sockets(Lane& lane, const SlopeVariant& variant, const std::string& interface) {
  for (std::uint32_t i = 0; i < kSlopeSockets; ++i) {
    auto socket = xdp::open_packet_socket();
    if (!socket) {
      return tl::make_unexpected(socket.error());
    }
    std::optional<xdp::LoadedProgram> loaded;
    if (variant.extended != nullptr) {
      auto program =
          xdp::load(returning_nothing(*variant.extended), xdp::ProgramType::kSocketFilter);
      if (!program) {
        return tl::make_unexpected(program.error());
      }
      loaded.emplace(std::move(*program));
    }
    auto link = attach_filter(socket->get(), variant, loaded);
    if (!link) {
      return tl::make_unexpected(link.error());
    }
    if (auto bound = xdp::bind_packet_socket(socket->get(), interface); !bound) {
      return bound;
    }
    lane.sockets.push_back(std::move(*socket));
    lane.filters.push_back(std::move(*link));
  }
  return {};
}

Result<Lane> make_lane(xdp::PrivateNetwork& network, std::size_t number,
                       const SlopeVariant& variant, const xdp::LoadedProgram& drop) {
  Lane lane;
  const std::string near = fmt::format("weir{}a", number);
  const std::string far = fmt::format("weir{}b", number);
  if (auto made = network.add_veth_pair(near, far); !made) {
    return tl::make_unexpected(made.error());
  }
  auto dropping = xdp::attach_xdp(far, drop, {.mode = xdp::XdpMode::kNative});
  if (!dropping) {
    return tl::make_unexpected(dropping.error());
  }
  lane.drop = std::move(dropping->link);
  if (auto added = add_sockets(lane, variant, near); !added) {
    return tl::make_unexpected(added.error());
  }
  auto injector = xdp::open_injector(near);
  if (!injector) {
    return tl::make_unexpected(injector.error());
  }
  lane.injector = std::move(*injector);
  return lane;
}

// The packets as sendmmsg wants them.
class Burst {
 public:
  Burst(std::span<const cbpf::Packet> packets, std::uint32_t count)
      : vectors_(count), messages_(count) {
    for (std::size_t i = 0; i < count; ++i) {
      const Bytes bytes = packets[i % packets.size()].captured;
      vectors_[i] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
      messages_[i].msg_hdr.msg_iov = &vectors_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  // Sends everything and gives the CPU time it took.
  Result<std::uint64_t> send(int socket) {
    const std::uint64_t begin = thread_cpu_ns();
    for (std::size_t at = 0; at < messages_.size();) {
      const auto count = static_cast<unsigned>(std::min(kBatch, messages_.size() - at));
      const int sent = sendmmsg(socket, &messages_[at], count, 0);
      if (sent <= 0) {
        if (errno == ENOBUFS || errno == EINTR) {
          continue;
        }
        return fail(ErrorCode::kSystem,
                    fmt::format("sending on the veth pair: {}", std::strerror(errno)));
      }
      at += static_cast<std::size_t>(sent);
    }
    return thread_cpu_ns() - begin;
  }

 private:
  std::vector<iovec> vectors_;
  std::vector<mmsghdr> messages_;
};

// Every lane once, beginning with another one each round.
Status run_round(std::vector<Lane>& lanes, Burst& burst, std::uint32_t burst_size,
                 std::uint32_t round, bool keep) {
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    Lane& lane = lanes[(i + round) % lanes.size()];
    const auto ns = burst.send(lane.injector.get());
    if (!ns) {
      return tl::make_unexpected(ns.error());
    }
    if (keep) {
      lane.ns.push_back(static_cast<double>(*ns) / burst_size);
    }
  }
  return {};
}

SlopeResult net_of_empty(const std::vector<Lane>& lanes, std::size_t variants) {
  SlopeResult result;
  const auto empty = std::span(lanes).subspan(variants);
  std::vector<double> medians;
  for (const Lane& lane : empty) {
    medians.push_back(spread_of(lane.ns).median / kSlopeSockets);
  }
  const Spread spread = spread_of(medians);
  result.noise_ns = spread.max - spread.min;
  for (std::size_t v = 0; v < variants; ++v) {
    std::vector<double> net;
    for (std::size_t round = 0; round < lanes[v].ns.size(); ++round) {
      const double floor =
          std::accumulate(empty.begin(), empty.end(), 0.0,
                          [&](double sum, const Lane& lane) { return sum + lane.ns[round]; }) /
          static_cast<double>(empty.size());
      net.push_back((lanes[v].ns[round] - floor) / kSlopeSockets);
    }
    result.net_ns.push_back(std::move(net));
  }
  return result;
}

}  // namespace

Result<SlopeResult> socket_slope(std::span<const SlopeVariant> variants,
                                 std::span<const cbpf::Packet> packets,
                                 const SlopeOptions& options) {
  auto network = xdp::PrivateNetwork::enter();
  if (!network) {
    return tl::make_unexpected(network.error());
  }
  const auto drop = xdp::load(drop_everything(), xdp::ProgramType::kXdp);
  if (!drop) {
    return tl::make_unexpected(drop.error());
  }
  const cbpf::Program empty{{{cbpf::kRet | cbpf::kK, 0, 0, 0}}};
  std::vector<SlopeVariant> all(variants.begin(), variants.end());
  all.insert(all.end(), kEmptyReplicates, SlopeVariant{.classic = &empty});
  std::vector<Lane> lanes;
  for (const SlopeVariant& variant : all) {
    auto lane = make_lane(*network, lanes.size(), variant, *drop);
    if (!lane) {
      return tl::make_unexpected(lane.error());
    }
    lanes.push_back(std::move(*lane));
  }
  Burst burst(packets, options.burst);
  for (std::uint32_t round = 0; round < kWarmUps + options.rounds; ++round) {
    if (auto ran = run_round(lanes, burst, options.burst, round, round >= kWarmUps); !ran) {
      return tl::make_unexpected(ran.error());
    }
  }
  return net_of_empty(lanes, variants.size());
}

}  // namespace weir::bench
