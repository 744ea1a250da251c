// What a filter costs a packet at a socket or at tc of the running kernel, classic and extended
// side by side.
//
// A classic filter has no descriptor to test-run, and what a filter costs at these hooks drowns in
// what the hook costs. So the slope is measured: 16 copies of the filter on the sending end of a
// veth pair (on a packet socket each, or as classifiers behind each other), each with its returns
// changed so that nothing comes of them, against the same with an empty filter; the difference by
// 16 is the filter alone. Each variant has its own veth pair, whose other end drops everything at
// XDP; packets are injected in bursts by sendmmsg, variants taking turns in every round; the clock
// is this thread's CPU time.
//
// Every copy has code of its own, and all of them with the kernel's way around them are more than
// the instruction cache nearest to the processor holds, as a filter's code mostly is gone from it
// when the next packet comes. So it counts how much code a packet runs through, about 2 ns for each
// 64 bytes on the machine this was written on. Where the copies and sockets of a variant happen to
// lie in memory makes some 2 ns more or less for the whole run of a variant: what differs by less
// takes several runs to be seen.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/packet.h"
#include "cbpf/program.h"
#include "translator/ebpf/program.h"

namespace weir::bench {

enum class SlopeHook : std::uint8_t { kSocket, kTc };

inline constexpr std::uint32_t kSlopeCopies = 16;
// What a veth pair takes: a link layer header at least, its MTU and that header at most.
inline constexpr std::size_t kLeastSlopePacket = 14;
inline constexpr std::size_t kMostSlopePacket = 3414;
// A run whose replicates are further apart than this, in ns, says nothing.
inline constexpr double kCredibleNoise = 3;

// One filter to measure: exactly one of the two programs.
struct SlopeVariant {
  const cbpf::Program* classic = nullptr;
  const ebpf::Program* extended = nullptr;  // For the target of the hook.
};

struct SlopeOptions {
  std::uint32_t rounds = 60;
  std::uint32_t burst = 2048;  // Packets a variant and round.
};

struct SlopeResult {
  // ns per packet of each variant by round, net of the empty filters of the same round.
  std::vector<std::vector<double>> net_ns;
  // How far replicates are apart, in ns per packet and filter: the medians of three empty filters,
  // and those of the first variant, which is measured twice.
  double noise_ns = 0;
};

// Injects the packets in order, each round going on where the last one ended; each must be whole
// (captured = wire length) and of kLeastSlopePacket to kMostSlopePacket bytes. kPermission without
// CAP_NET_ADMIN and CAP_SYS_ADMIN; errors of xdp::load() and of attaching.
Result<SlopeResult> slope(SlopeHook hook, std::span<const SlopeVariant> variants,
                          std::span<const cbpf::Packet> packets, const SlopeOptions& options = {});

}  // namespace weir::bench
