// The plain reference: one slow, obvious classic interpreter that every engine is judged against.
//
// Written from McCanne & Jacobson, "The BSD Packet Filter" (USENIX Winter 1993), section 3.3, and
// Linux's Documentation/networking/filter.rst. It shares the types of cbpf/ and none of its code,
// and only tests link it.
#pragma once

#include <cstdint>
#include <optional>

#include "cbpf/packet.h"
#include "cbpf/program.h"

namespace weir::reference {

struct Outcome {
  std::uint32_t accept_length = 0;
  // Whether the filter ended because a loop would have taken more backward jumps than the captured
  // length allows, or the caller. libpcap's bpf_filter has no such bound.
  bool loop_bound = false;
  // Whether a load at kLinkOffset was tried; where there is no link layer it ends the filter with
  // 0.
  bool link_region = false;
  // How many instructions were executed.
  std::uint64_t steps = 0;
};

// Runs a program that validate() takes on a packet. A loop's backward jumps are taken at most
// captured length / 8 + 1 times, or at most `most_backward_jumps` times.
Outcome run(const cbpf::Program& program, cbpf::Dialect dialect, const cbpf::Packet& packet,
            std::optional<std::uint64_t> most_backward_jumps = std::nullopt);

inline std::uint32_t interpret(const cbpf::Program& program, cbpf::Dialect dialect,
                               const cbpf::Packet& packet) {
  return run(program, dialect, packet).accept_length;
}

}  // namespace weir::reference
