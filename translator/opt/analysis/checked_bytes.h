// Checked bytes: what bounds checks and zero checks guarantee on every path to a point.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "translator/ir/function.h"

namespace weir::opt {

// Sound, not complete: of a place that knows of very many bases, some are forgotten, so that every
// operation is O(1).
class CheckedBytes {
 public:
  // Whether the need or guard passes here for certain.
  bool covers(const ir::Value& effect) const;
  // From here on the need or guard has passed.
  void add(const ir::Value& effect);
  // What is known where two ways meet.
  void meet(const CheckedBytes& other);

 private:
  static constexpr std::size_t kMaxFacts = 16;

  std::uint64_t bytes_ = 0;  // From the packet's beginning.
  // By base, in order: bytes behind it.
  std::vector<std::pair<ir::ValueId, std::uint32_t>> reaches_;
  std::vector<ir::ValueId> guarded_;
};

}  // namespace weir::opt
