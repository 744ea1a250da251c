// How many instructions a filter executes on the packets of a traffic, in each machine.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cbpf/packet.h"
#include "tools/engine/engine.h"

namespace weir::bench {

// Of one program. Medians over packets; absent where there was no packet of the kind, or the
// program cannot be counted (instruction_counting.h) or run here.
struct Executed {
  std::string program;  // "user", "socket", "tc", "xdp", or the name of a classic one.
  std::optional<double> matching;
  std::optional<double> rejected;
};

// A classic program to count, of the filter's dialect.
struct NamedClassic {
  std::string name;
  const cbpf::Program* program = nullptr;
};

struct ExecutedOptions {
  std::size_t packets = 64;  // Of each kind, at most, from the front of the traffic.
  bool kernel = true;        // Count the kernel's targets too, in test runs.
};

// The classic programs of those names, and what weir makes of the filter for every target. A call
// in an extended program is one instruction.
std::vector<Executed> executed_means(const engine::Filter& filter,
                                     std::span<const NamedClassic> classics,
                                     std::span<const cbpf::Packet> packets,
                                     const ExecutedOptions& options = {});

}  // namespace weir::bench
