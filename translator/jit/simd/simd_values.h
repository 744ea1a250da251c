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
struct SimdCondition {
  SimdId mask = 0;
  bool negated = false;
};

class SimdValues {
 public:
  static constexpr std::uint32_t kAll = 0xffffffff;
  static constexpr std::uint32_t kMostSigned = 0x7fffffff;

  SimdValues();

  SimdId constant(std::uint32_t value);
  SimdId zero() const { return 0; }
  SimdId all() const { return 1; }  // The mask of all packets.
  SimdId leaf(SimdOp op, std::uint32_t imm = 0);
  SimdId field(std::uint32_t offset, std::uint8_t width);
  // Four bytes are gathered from the field on where the mask says that they were captured; a field
  // among those of an earlier gather is a part of it.
  SimdId gather(SimdId address, std::int32_t offset, std::uint8_t width, SimdId mask);
  SimdId pick(SimdId field, bool swapped);
  SimdId binary(SimdOp op, SimdId a, SimdId b);
  SimdId shift(SimdOp op, SimdId a, std::uint32_t count);
  SimdId swap(SimdId a, std::uint8_t width);
  SimdId choose(SimdId mask, SimdId yes, SimdId no);

  // Of numbers without sign, but for the signed orders. Not of kJa.
  SimdCondition compare(ebpf::JumpOp op, SimdId a, SimdId b);
  // (The field & mask) op value, likewise.
  SimdCondition test(ebpf::JumpOp op, SimdId field, std::uint32_t mask, std::uint32_t value);
  // The packets of `mask` for which the condition holds, or does not.
  SimdId where(SimdId mask, SimdCondition condition);
  SimdId where_not(SimdId mask, SimdCondition condition);

  // Whether the packets of the mask are seen to end before some place that the program looked for.
  bool ends_early(SimdId mask) const;

  // The greatest number the value can be, and that the caller knows it is no greater.
  std::uint32_t most(SimdId id) const { return most_[id]; }
  void limit(SimdId id, std::uint32_t most) { most_[id] = std::min(most_[id], most); }
  const std::vector<SimdValue>& values() const { return values_; }
  std::vector<SimdValue> take() { return std::move(values_); }

 private:
  SimdId add(const SimdValue& value, std::uint32_t most);
  std::optional<std::uint32_t> known(SimdId id) const;
  SimdId part(SimdId bytes, std::uint32_t at, std::uint8_t width);
  SimdId either(SimdId a, SimdId b);
  SimdId equals(SimdId a, std::uint32_t value);
  bool splits(SimdId a, SimdId b) const;
  std::uint32_t most_of(SimdOp op, SimdId a, SimdId b) const;
  bool ends_early(SimdId mask, int& looks) const;
  bool implies(SimdId mask, SimdId other, int& looks) const;
  bool has_bytes(SimdId mask, SimdId address, std::int64_t behind, int& looks) const;

  std::vector<SimdValue> values_;
  std::vector<std::uint32_t> most_;
};

}  // namespace weir::jit
