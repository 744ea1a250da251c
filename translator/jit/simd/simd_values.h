// Makes the values of a lane form: each only once, and simpler where that is easy.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ebpf/instruction.h"
#include "translator/jit/simd/simd_program.h"

namespace weir::jit {

// Whether something holds, as a mask or its opposite: the processor has some compares only in one
// of the two.
struct LaneCondition {
  LaneId mask = 0;
  bool negated = false;
};

class LaneValues {
 public:
  static constexpr std::uint32_t kAll = 0xffffffff;
  static constexpr std::uint32_t kMostSigned = 0x7fffffff;

  LaneValues();

  LaneId constant(std::uint32_t value);
  LaneId zero() const { return 0; }
  LaneId all() const { return 1; }  // The mask of all packets.
  LaneId leaf(LaneOp op, std::uint32_t imm = 0);
  LaneId field(std::uint32_t offset, std::uint8_t width);
  // Four bytes are gathered from the field on where the mask says that they were captured; a field
  // among those of an earlier gather is a part of it.
  LaneId gather(LaneId address, std::int32_t offset, std::uint8_t width, LaneId mask);
  LaneId pick(LaneId field, bool swapped);
  LaneId binary(LaneOp op, LaneId a, LaneId b);
  LaneId shift(LaneOp op, LaneId a, std::uint32_t count);
  LaneId swap(LaneId a, std::uint8_t width);
  LaneId choose(LaneId mask, LaneId yes, LaneId no);

  // Of numbers without sign, but for the signed orders. Not of kJa.
  LaneCondition compare(ebpf::JumpOp op, LaneId a, LaneId b);
  // (The field & mask) op value, likewise.
  LaneCondition test(ebpf::JumpOp op, LaneId field, std::uint32_t mask, std::uint32_t value);
  // The packets of `mask` for which the condition holds, or does not.
  LaneId where(LaneId mask, LaneCondition condition);
  LaneId where_not(LaneId mask, LaneCondition condition);

  // Whether the packets of the mask are seen to end before some place that the program looked for.
  bool ends_early(LaneId mask) const;

  // The greatest number the value can be, and that the caller knows it is no greater.
  std::uint32_t most(LaneId id) const { return most_[id]; }
  void limit(LaneId id, std::uint32_t most) { most_[id] = std::min(most_[id], most); }
  const std::vector<LaneValue>& values() const { return values_; }
  std::vector<LaneValue> take() { return std::move(values_); }

 private:
  LaneId add(const LaneValue& value, std::uint32_t most);
  std::optional<std::uint32_t> known(LaneId id) const;
  LaneId part(LaneId bytes, std::uint32_t at, std::uint8_t width);
  LaneId either(LaneId a, LaneId b);
  LaneId equals(LaneId a, std::uint32_t value);
  bool splits(LaneId a, LaneId b) const;
  std::uint32_t most_of(LaneOp op, LaneId a, LaneId b) const;
  bool ends_early(LaneId mask, int& looks) const;
  bool implies(LaneId mask, LaneId other, int& looks) const;
  bool has_bytes(LaneId mask, LaneId address, std::int64_t behind, int& looks) const;

  std::vector<LaneValue> values_;
  std::vector<std::uint32_t> most_;
};

}  // namespace weir::jit
