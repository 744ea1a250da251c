// Stretches of a packet form that can be run through without a jump on what packets hold.
//
// On traffic the branch predictor has not seen, a jump taken the wrong way costs as much as thirty
// operations. A stretch asks all its questions, also those behind one that has already failed, and
// chooses the verdict at the end. Only whether a packet is long enough is asked by jumps, which are
// nearly always right: where it is not, the stretch is run in order. Nothing is read that a check
// within the stretch, or before it, has not covered; the reasons are looked at here once more,
// because the prover's may lie in the answers that are now not waited for.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "translator/userspace/packet_program.h"

namespace weir::jit {

struct StraightLine {
  // Operations in the order in which they are run: pure ones; checks of pointers (kPast), behind
  // which the line goes on where the packet is long enough; and questions, all of which lead to
  // `failure`.
  std::vector<std::uint32_t> steps;
  // Questions behind them, with any verdicts; the first that holds decides.
  std::vector<std::uint32_t> choice;
  std::uint32_t failure = 0;         // The verdict where a question of the steps holds.
  std::uint32_t otherwise = 0;       // The verdict where none holds.
  std::uint32_t least_captured = 0;  // Bytes the packet must have for all of it.
  bool has_checks = false;           // Whether it may have to be run in order instead.
  std::uint32_t end = 0;             // Behind the last operation of it.
};

// The stretch that begins with a question or a pure operation at `from`; nothing when there is none
// that saves a jump. O(length).
std::optional<StraightLine> straight_line(const ebpf::PacketProgram& form,
                                          std::span<const ebpf::Instruction> instructions,
                                          std::uint32_t from);

// Questions are tests and compares that say nothing of the packet's length.
bool is_question(const ebpf::PacketOp& op);

}  // namespace weir::jit
