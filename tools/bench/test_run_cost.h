// What a filter costs at tc and XDP by the kernel's own test run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cbpf/base/result.h"
#include "tools/engine/engine.h"

namespace weir::bench {

struct TestRunOptions {
  std::uint32_t rounds = 11;
  std::uint32_t packets = 64;   // At most, spread over those given.
  std::uint32_t repeat = 2000;  // Runs of one packet at a time.
};

// ns per packet by round: the mean over the packets of one packet's repeated test run, less that of
// an empty program in the same round. One packet repeated means every branch predicted: a floor,
// not to be set beside a figure of live traffic. `id` is kKernelTc or kKernelXdp.
// Errors of translate() and xdp::load(); kUnsupported when no packet can be test-run.
Result<std::vector<double>> test_run_cost(engine::EngineId id, const engine::Filter& filter,
                                          std::span<const cbpf::Packet> packets,
                                          const TestRunOptions& options = {});

}  // namespace weir::bench
