// What XDP programs cost a frame on live frames, beside a program that does nothing but drop.
//
// The programs take turns, a packet at a time, each with its exits changed to XDP_DROP; the kernel
// hands them frames as a driver does and takes dropped ones back (xdp/kernel/test_run.h). The clock
// is this thread's CPU time. The frames of one turn are the same packet, so its branches are
// predicted; the figure is for traffic in which they are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/packet.h"
#include "translator/ebpf/program.h"

namespace weir::bench {

struct LiveOptions {
  std::uint32_t rounds = 12;
  std::uint32_t frames = 1'000'000;  // A program and round.
  std::uint32_t packets = 8;         // At most, spread over those given.
};

struct LiveResult {
  // ns per frame of each program by round, less the mean of two that only drop.
  std::vector<std::vector<double>> added_ns;
  double noise_ns = 0;  // How far the medians of those two are apart.
  double drop_ns = 0;   // What a frame costs that is only dropped; the median.
};

// `programs` are of the XDP target. kUnsupported where the kernel has no live frames or none of the
// packets can be run; errors of xdp::load(); kPermission without CAP_SYS_ADMIN.
Result<LiveResult> live_cost(std::span<const ebpf::Program* const> programs,
                             std::span<const cbpf::Packet> packets,
                             const LiveOptions& options = {});

}  // namespace weir::bench
