// Labels and jumps. A jump reaches 2^15 slots either way; one that goes farther hops over islands:
// `ja` instructions laid into the code on its way, which the code around them jumps over. Islands
// work on every kernel, where `gotol` needs 6.6, and need no condition turned around (which kSet
// could not be).
#include "translator/ebpf/assembler.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <limits>
#include <map>
#include <utility>

namespace weir::ebpf {
namespace {

constexpr std::size_t kUnbound = std::numeric_limits<std::size_t>::max();

// A jump is far when it is longer than this: what 16 bits hold.
constexpr std::int64_t kReach = 32767;
// A hop aims this far, at most a grid step less, so that islands laid in the same round (which
// lengthen it) leave it in reach, and neighbouring jumps to one target share an island.
constexpr std::int64_t kHop = 24000;
constexpr std::int64_t kGrid = 4096;
// Where a jump is far, those that are nearly so hop too: else the islands laid for it make a few of
// them far, theirs a few more, and a program of n jumps takes as many rounds.
constexpr std::int64_t kNearly = 2048;

bool falls_through(const Instruction& instruction) {
  if (const auto* jump = std::get_if<Jump>(&instruction)) {
    return jump->op != JumpOp::kJa;
  }
  return !std::holds_alternative<Exit>(instruction);
}

}  // namespace

void Assembler::emit(const Instruction& instruction) {
  instructions_.push_back(instruction);
  origins_.push_back(origin_);
}

Label Assembler::new_label() {
  labels_.push_back(kUnbound);
  return {static_cast<std::uint32_t>(labels_.size() - 1)};
}

void Assembler::bind(Label label) {
  assert(labels_[label.id] == kUnbound);
  labels_[label.id] = instructions_.size();
}

void Assembler::jump(Label target) {
  fixups_.push_back({instructions_.size(), target});
  emit(Jump{.op = JumpOp::kJa});
}

void Assembler::jump_if(JumpOp op, Reg dst, Operand src, Label target, bool is64) {
  fixups_.push_back({instructions_.size(), target});
  emit(Jump{.op = op, .is64 = is64, .dst = dst, .src = src});
}

std::vector<std::int64_t> Assembler::positions() const {
  std::vector<std::int64_t> at;
  at.reserve(instructions_.size() + 1);
  std::int64_t slot = 0;
  for (const Instruction& instruction : instructions_) {
    at.push_back(slot);
    slot += slots(instruction);
  }
  at.push_back(slot);
  return at;
}

bool Assembler::lay_islands() {
  const std::vector<std::int64_t> at = positions();
  const auto distance_of = [&](const Fixup& fixup) {
    return at[labels_[fixup.target.id]] - at[fixup.instruction] - 1;
  };
  const bool any = std::any_of(fixups_.begin(), fixups_.end(), [&](const Fixup& fixup) {
    return std::abs(distance_of(fixup)) > kReach;
  });
  if (!any || at.back() > kMaxSlots) {
    return false;
  }
  Islands islands;
  for (Fixup& fixup : fixups_) {
    const std::int64_t from = at[fixup.instruction] + 1;
    const std::int64_t distance = distance_of(fixup);
    if (std::abs(distance) <= kReach - kNearly) {
      continue;
    }
    std::int64_t stop = distance > 0 ? from + kHop : from - kHop;
    stop = distance > 0 ? stop / kGrid * kGrid : (stop + kGrid - 1) / kGrid * kGrid;
    const auto before = std::lower_bound(at.begin(), at.end() - 1, stop);
    const auto site = static_cast<std::size_t>(before - at.begin());
    const auto [island, added] = islands.try_emplace({site, fixup.target.id});
    if (added) {
      island->second = new_label();
    }
    fixup.target = island->second;
  }
  insert(islands);
  return true;
}

void Assembler::insert(const Islands& islands) {
  const std::vector<Instruction> old_instructions = std::exchange(instructions_, {});
  const std::vector<std::uint32_t> old_origins = std::exchange(origins_, {});
  const std::vector<Fixup> old_fixups = std::exchange(fixups_, {});
  std::vector<std::size_t> moved(old_instructions.size() + 1);
  const std::vector<std::size_t> old_labels = labels_;
  auto island = islands.begin();
  for (std::size_t i = 0; i <= old_instructions.size(); ++i) {
    if (island != islands.end() && island->first.first == i) {
      // Code that would run into the islands goes over them.
      const Label over = new_label();
      if (i > 0 && falls_through(old_instructions[i - 1])) {
        jump(over);
      }
      for (; island != islands.end() && island->first.first == i; ++island) {
        bind(island->second);
        jump({island->first.second});
      }
      bind(over);
    }
    moved[i] = instructions_.size();
    if (i < old_instructions.size()) {
      instructions_.push_back(old_instructions[i]);
      origins_.push_back(old_origins[i]);
    }
  }
  for (std::size_t label = 0; label < old_labels.size(); ++label) {
    if (old_labels[label] != kUnbound) {
      labels_[label] = moved[old_labels[label]];
    }
  }
  for (const Fixup& fixup : old_fixups) {
    fixups_.push_back({moved[fixup.instruction], fixup.target});
  }
}

Program Assembler::finish() && {
  // An unbound label is the caller's mistake; it leads past the end, which check() refuses.
  for (std::size_t& label : labels_) {
    assert(label != kUnbound);
    label = std::min(label, instructions_.size());
  }
  set_origin(kNoOrigin);
  while (lay_islands()) {
  }
  const std::vector<std::int64_t> at = positions();
  for (const Fixup& fixup : fixups_) {
    std::get<Jump>(instructions_[fixup.instruction]).offset =
        static_cast<std::int32_t>(at[labels_[fixup.target.id]] - at[fixup.instruction] - 1);
  }
  return {.instructions = std::move(instructions_), .origins = std::move(origins_)};
}

}  // namespace weir::ebpf
