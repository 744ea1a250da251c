// Reads the verifier's log. Private to this folder, but for its tests.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "translator/ebpf/instruction.h"
#include "xdp/kernel/load.h"

namespace weir::xdp {

// For each wire slot of the program the classic instruction it comes from (all ones: none).
std::vector<std::uint32_t> slot_origins(std::span<const ebpf::Instruction> instructions,
                                        std::span<const std::uint32_t> origins);

struct Refusal {
  std::string sentence;  // The last telling line; empty when the log tells nothing.
  std::string detail;    // The last few instructions of the trace and every telling line.
};

// What a log (level 1) says of the reason. A telling line is one that is neither an instruction of
// the trace, nor a register state, nor a statistic.
Refusal read_refusal(std::string_view log, std::span<const std::uint32_t> origin_of_slot);

// The numbers of the statistics lines (level 4); absent ones stay 0.
VerifierStatistics read_statistics(std::string_view log);

}  // namespace weir::xdp
