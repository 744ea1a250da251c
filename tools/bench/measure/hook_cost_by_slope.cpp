#include "tools/bench/measure/hook_cost_by_slope.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>
#include <string>

#include "tools/bench/measure/clock.h"
#include "tools/bench/measure/neutralized_programs.h"
#include "tools/bench/measure/statistics.h"
#include "xdp/hooks/socket_filter.h"
#include "xdp/hooks/tc.h"
#include "xdp/hooks/xdp_attach.h"
#include "xdp/kernel/load.h"
#include "xdp/kernel/network_namespace.h"

namespace weir::bench {
namespace {

constexpr std::size_t kEmptyReplicates = 3;
constexpr std::size_t kBatch = 64;  // Packets a sendmmsg call.
constexpr std::uint32_t kWarmUps = 2;
constexpr std::int32_t kXdpDrop = 1;
constexpr std::int32_t kTryNextClassifier = -1;  // TC_ACT_UNSPEC.

// A variant ready to be measured: its veth pair, its filters, what sends into it.
struct Lane {
  bool extended = false;
  xdp::Link drop;
  std::vector<Fd> sockets;
  std::vector<xdp::Link> filters;
  Fd injector;
  std::vector<double> ns;  // Per packet, by round, with everything.

  double median() const { return spread_of(ns).median / kSlopeCopies; }
};

// A socket with the filter, classic or extended, bound once it has it.
Status add_socket(Lane& lane, const cbpf::Program* classic, const xdp::LoadedProgram* extended,
                  const std::string& interface) {
  auto socket = xdp::open_packet_socket();
  if (!socket) {
    return tl::make_unexpected(socket.error());
  }
  auto link = extended != nullptr ? xdp::attach_socket_filter(socket->get(), *extended)
                                  : xdp::attach_classic(socket->get(), *classic);
  if (!link) {
    return tl::make_unexpected(link.error());
  }
  if (auto bound = xdp::bind_packet_socket(socket->get(), interface); !bound) {
    return bound;
  }
  lane.sockets.push_back(std::move(*socket));
  lane.filters.push_back(std::move(*link));
  return {};
}

Status add_classifier(Lane& lane, const cbpf::Program* classic, const xdp::LoadedProgram* extended,
                      const std::string& interface) {
  auto link = extended != nullptr ? xdp::attach_tc(interface, xdp::TcDirection::kEgress, *extended)
                                  : xdp::attach_tc_classic(interface, xdp::TcDirection::kEgress,
                                                           *classic, xdp::TcClassic::kMatch);
  if (!link) {
    return tl::make_unexpected(link.error());
  }
  lane.filters.push_back(std::move(*link));
  return {};
}

// Every copy of an extended filter is a program of its own, as every classic one is.
Status add_copies(Lane& lane, SlopeHook hook, const SlopeVariant& variant,
                  const std::string& interface) {
  const bool socket = hook == SlopeHook::kSocket;
  const auto add = socket ? add_socket : add_classifier;
  if (variant.classic != nullptr) {
    const cbpf::Program quiet = returning_nothing(*variant.classic);
    for (std::uint32_t i = 0; i < kSlopeCopies; ++i) {
      if (auto added = add(lane, &quiet, nullptr, interface); !added) {
        return added;
      }
    }
    return {};
  }
  const ebpf::Program quiet = returning_always(*variant.extended, socket ? 0 : kTryNextClassifier);
  for (std::uint32_t i = 0; i < kSlopeCopies; ++i) {
    const auto loaded =
        xdp::load(quiet, socket ? xdp::ProgramType::kSocketFilter : xdp::ProgramType::kTc);
    if (!loaded) {
      return tl::make_unexpected(loaded.error());
    }
    if (auto added = add(lane, nullptr, &*loaded, interface); !added) {
      return added;
    }
  }
  return {};
}

Result<Lane> make_lane(xdp::PrivateNetwork& network, std::size_t number, SlopeHook hook,
                       const SlopeVariant& variant, const xdp::LoadedProgram& drop) {
  Lane lane{.extended = variant.extended != nullptr};
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
  if (auto added = add_copies(lane, hook, variant, near); !added) {
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
      : packets_(packets), vectors_(count), messages_(count) {}

  // Takes the packets of this round.
  void prepare(std::uint32_t round) {
    const std::size_t first = std::size_t{round} * messages_.size();
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      const Bytes bytes = packets_[(first + i) % packets_.size()].captured;
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
  std::span<const cbpf::Packet> packets_;
  std::vector<iovec> vectors_;
  std::vector<mmsghdr> messages_;
};

// Every lane once, beginning with another one each round.
Status run_round(std::vector<Lane>& lanes, Burst& burst, std::uint32_t burst_size,
                 std::uint32_t round, bool keep) {
  burst.prepare(round);
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

// The lanes with empty filters that a variant is held against. At tc the kernel treats the two
// kinds of classifiers a little differently, so each has its own; a socket makes no difference.
std::vector<const Lane*> floors_of(SlopeHook hook, const Lane& lane, std::span<const Lane> empty) {
  std::vector<const Lane*> floors;
  for (const Lane& floor : empty) {
    if (hook == SlopeHook::kSocket || floor.extended == lane.extended) {
      floors.push_back(&floor);
    }
  }
  return floors;
}

double distance_of(std::span<const Lane* const> lanes) {
  std::vector<double> medians;
  for (const Lane* lane : lanes) {
    medians.push_back(lane->median());
  }
  const Spread spread = spread_of(medians);
  return spread.max - spread.min;
}

// The lanes are the variants, the first variant again, and the empty filters.
SlopeResult net_of_empty(SlopeHook hook, const std::vector<Lane>& lanes, std::size_t variants) {
  SlopeResult result;
  const auto empty = std::span(lanes).subspan(variants + 1);
  result.noise_ns = std::abs(lanes.front().median() - lanes[variants].median());
  for (std::size_t v = 0; v < variants; ++v) {
    const std::vector<const Lane*> floors = floors_of(hook, lanes[v], empty);
    result.noise_ns = std::max(result.noise_ns, distance_of(floors));
    std::vector<double> net;
    for (std::size_t round = 0; round < lanes[v].ns.size(); ++round) {
      const double floor =
          std::accumulate(floors.begin(), floors.end(), 0.0,
                          [&](double sum, const Lane* lane) { return sum + lane->ns[round]; });
      net.push_back((lanes[v].ns[round] - floor / static_cast<double>(floors.size())) /
                    kSlopeCopies);
    }
    result.net_ns.push_back(std::move(net));
  }
  return result;
}

}  // namespace

Result<SlopeResult> slope(SlopeHook hook, std::span<const SlopeVariant> variants,
                          std::span<const cbpf::Packet> packets, const SlopeOptions& options) {
  auto network = xdp::PrivateNetwork::enter();
  if (!network) {
    return tl::make_unexpected(network.error());
  }
  const auto drop = xdp::load(empty_program(kXdpDrop), xdp::ProgramType::kXdp);
  if (!drop) {
    return tl::make_unexpected(drop.error());
  }
  const cbpf::Program empty_classic{{{cbpf::kRet | cbpf::kK, 0, 0, 0}}};
  const ebpf::Program empty_extended = empty_program(0);
  std::vector<SlopeVariant> all(variants.begin(), variants.end());
  all.push_back(variants.front());
  all.insert(all.end(), kEmptyReplicates, SlopeVariant{.classic = &empty_classic});
  if (hook == SlopeHook::kTc) {
    all.insert(all.end(), kEmptyReplicates, SlopeVariant{.extended = &empty_extended});
  }
  std::vector<Lane> lanes;
  for (const SlopeVariant& variant : all) {
    auto lane = make_lane(*network, lanes.size(), hook, variant, *drop);
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
  return net_of_empty(hook, lanes, variants.size());
}

}  // namespace weir::bench
