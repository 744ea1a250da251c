#include "translator/jit/simd/adaptive_choice.h"

#include <algorithm>

namespace weir::jit {

AdaptiveChoice::Turn AdaptiveChoice::next(std::size_t packets) {
  const std::uint64_t now = seen_.fetch_add(packets, std::memory_order_relaxed);
  const std::uint64_t trial = next_trial_.load(std::memory_order_relaxed);
  if (now >= trial) {
    const std::uint64_t into = now - trial;
    if (into < kEachTaught + kEachTimed) {
      return {BatchCode::kOneByOne, into >= kEachTaught};
    }
    if (into < kTrial) {
      return {BatchCode::kInLanes, into >= kTrial - kLanesTimed};
    }
    decide(trial, now);
  }
  return {faster_.load(std::memory_order_relaxed), false};
}

void AdaptiveChoice::took(BatchCode code, std::uint64_t time, std::size_t packets) {
  std::atomic<std::uint64_t>& least = code == BatchCode::kOneByOne ? each_time_ : lanes_time_;
  const std::uint64_t of_thousand = time * 1000 / std::max<std::size_t>(packets, 1);
  if (of_thousand < least.load(std::memory_order_relaxed)) {
    least.store(of_thousand, std::memory_order_relaxed);
  }
}

// Of threads that come here at once, one decides.
void AdaptiveChoice::decide(std::uint64_t trial, std::uint64_t now) {
  const BatchCode won =
      lanes_time_.load(std::memory_order_relaxed) < each_time_.load(std::memory_order_relaxed)
          ? BatchCode::kInLanes
          : BatchCode::kOneByOne;
  const std::uint64_t interval =
      won == faster_.load(std::memory_order_relaxed)
          ? std::min(2 * interval_.load(std::memory_order_relaxed), kMostInterval)
          : kLeastInterval;
  if (!next_trial_.compare_exchange_strong(trial, now + interval, std::memory_order_relaxed)) {
    return;
  }
  interval_.store(interval, std::memory_order_relaxed);
  faster_.store(won, std::memory_order_relaxed);
  each_time_.store(kNone, std::memory_order_relaxed);
  lanes_time_.store(kNone, std::memory_order_relaxed);
}

}  // namespace weir::jit
