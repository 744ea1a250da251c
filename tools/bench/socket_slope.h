// What a socket filter costs a packet in the running kernel, classic and extended side by side.
//
// A classic filter has no descriptor to test-run, and what a filter costs on a socket drowns in
// what the socket costs. So the slope is measured: 16 packet sockets on the sending end of a veth
// pair, each with its own copy of the filter with every return made 0 (nothing is queued), against
// the same with an empty filter; the difference by 16 is the filter alone. Each variant has its own
// veth pair, whose other end drops everything at XDP; packets are injected in bursts by sendmmsg,
// variants taking turns in every round; the clock is this thread's CPU time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/packet.h"
#include "cbpf/program.h"
#include "tools/bench/compare.h"
#include "translator/ebpf/program.h"

namespace weir::bench {

inline constexpr std::uint32_t kSlopeSockets = 16;
// What a veth pair takes: a link layer header at least, its MTU and that header at most.
inline constexpr std::size_t kLeastSlopePacket = 14;
inline constexpr std::size_t kMostSlopePacket = 3414;

// One filter to measure: exactly one of the two programs.
struct SlopeVariant {
  const cbpf::Program* classic = nullptr;
  const ebpf::Program* extended = nullptr;  // For the socket target.
};

struct SlopeOptions {
  std::uint32_t rounds = 60;
  std::uint32_t burst = 2048;  // Packets a variant and round.
};

struct SlopeResult {
  // ns per packet of each variant by round, net of the empty filter of the same round.
  std::vector<std::vector<double>> net_ns;
  // How far the medians of three empty replicates are apart, in ns per packet and filter. A run in
  // which they differ by more than 3 ns says nothing.
  double noise_ns = 0;
};

// Injects the packets in order, over and over; each must be whole (captured = wire length) and of
// kLeastSlopePacket to kMostSlopePacket bytes. kPermission without CAP_NET_ADMIN and CAP_SYS_ADMIN.
Result<SlopeResult> socket_slope(std::span<const SlopeVariant> variants,
                                 std::span<const cbpf::Packet> packets,
                                 const SlopeOptions& options = {});

}  // namespace weir::bench
