#include "translator/opt/analysis/checked_bytes.h"

#include <algorithm>

namespace weir::opt {

bool CheckedBytes::covers(const ir::Value& effect) const {
  if (effect.op == ir::Op::kGuard) {
    return std::find(guarded_.begin(), guarded_.end(), effect.a) != guarded_.end();
  }
  if (effect.a == ir::kNoValue) {
    return effect.k <= bytes_;
  }
  return std::any_of(reaches_.begin(), reaches_.end(), [&](const auto& known) {
    return known.first == effect.a && known.second >= effect.k;
  });
}

void CheckedBytes::add(const ir::Value& effect) {
  if (covers(effect)) {
    return;
  }
  if (effect.op == ir::Op::kGuard) {
    if (guarded_.size() < kMaxFacts) guarded_.push_back(effect.a);
    return;
  }
  if (effect.a == ir::kNoValue) {
    bytes_ = effect.k;
    return;
  }
  const auto place =
      std::lower_bound(reaches_.begin(), reaches_.end(), effect.a,
                       [](const auto& known, ir::ValueId a) { return known.first < a; });
  if (place != reaches_.end() && place->first == effect.a) {
    place->second = effect.k;
    return;
  }
  reaches_.insert(place, {effect.a, effect.k});
  if (reaches_.size() > kMaxFacts) {
    reaches_.erase(reaches_.begin());  // The oldest value.
  }
}

void CheckedBytes::meet(const CheckedBytes& other) {
  bytes_ = std::min(bytes_, other.bytes_);
  for (auto& [base, reach] : reaches_) {
    std::uint32_t there = 0;
    for (const auto& known : other.reaches_) {
      there = known.first == base ? known.second : there;
    }
    reach = std::min(reach, there);
  }
  std::erase_if(reaches_, [](const auto& known) { return known.second == 0; });
  std::erase_if(guarded_, [&](ir::ValueId id) {
    return std::find(other.guarded_.begin(), other.guarded_.end(), id) == other.guarded_.end();
  });
}

}  // namespace weir::opt
