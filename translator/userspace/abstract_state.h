// The states of the prover that wait in front of instructions ahead, and what becomes of two that
// meet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "translator/userspace/abstract_value.h"

namespace weir::ebpf::abstract {

// What is added to a packet pointer stays below this, so that no address wraps.
inline constexpr std::uint64_t kMaxVariable = std::uint64_t{1} << 40;

// A state is `values` values, each in its place, and the facts about them.
class StatesAhead {
 public:
  // For a program of so many instructions, which only goes forward.
  void begin(std::size_t instructions, std::size_t values);

  // Records that the state goes on at `target`, which is ahead.
  void leave(std::uint32_t target, const std::vector<Value>& now, const Facts& facts);

  // Joins what left for instruction `at` with the state that comes from the one before, if one does
  // (`alive`). False when none comes at all; the state is then as it was.
  bool arrive(std::size_t at, std::vector<Value>& now, Facts& facts, bool alive);

 private:
  static constexpr std::uint32_t kNoState = 0xffffffff;
  // As many ways as filters mostly have to places ahead, at a time.
  static constexpr std::size_t kExpected = 8;

  void join(Value* into, Facts& facts, const Value* from, const Facts& from_facts,
            std::size_t at) const;
  Value* values_of(std::uint32_t state) { return &values_[state * stride_]; }

  std::size_t stride_ = 0;
  std::vector<std::uint32_t>
      state_of_;                     // What waits in front of an instruction, if something does.
  std::vector<Value> values_;        // The states, one after another,
  std::vector<Facts> facts_;         // and their facts.
  std::vector<std::uint32_t> free_;  // States that are used no more.
};

}  // namespace weir::ebpf::abstract
