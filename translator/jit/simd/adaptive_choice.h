// Which of the two codes of a program is to run: packets one by one, or in lanes. It is measured,
// because it depends on the traffic: jumps are cheaper where the branch predictor has learnt them.
//
// A trial lets each code run some packets before it is timed. The code with jumps gets many of
// them: the predictor needs several looks at traffic that repeats, and after one look alone that
// code seems slower than it is. The least of some times counts, so an interruption does not decide.
// The winner runs until the next trial; those become rarer as long as the same code wins.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir::jit {

enum class BatchCode : std::uint8_t { kOneByOne, kInLanes };

// Threads may share one: what a race costs is a time that is not noted.
class AdaptiveChoice {
 public:
  // Packets of a trial, one part behind the other.
  static constexpr std::uint64_t kEachTaught = 24576;
  static constexpr std::uint64_t kEachTimed = 8192;
  static constexpr std::uint64_t kLanesTaught = 2048;
  static constexpr std::uint64_t kLanesTimed = 6144;
  static constexpr std::uint64_t kTrial = kEachTaught + kEachTimed + kLanesTaught + kLanesTimed;
  // Packets between two trials, at first and at most.
  static constexpr std::uint64_t kLeastInterval = 32 * kTrial;
  static constexpr std::uint64_t kMostInterval = 512 * kTrial;

  struct Turn {
    BatchCode code = BatchCode::kOneByOne;
    bool timed = false;  // Whether took() shall be told.
  };
  // What runs the next packets.
  Turn next(std::size_t packets);
  // How long the packets of a turn took, in any unit.
  void took(BatchCode code, std::uint64_t time, std::size_t packets);

 private:
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};

  void decide(std::uint64_t trial, std::uint64_t now);

  std::atomic<std::uint64_t> seen_ = 0;        // Packets.
  std::atomic<std::uint64_t> next_trial_ = 0;  // Where it begins, in packets.
  std::atomic<std::uint64_t> interval_ = kLeastInterval;
  std::atomic<BatchCode> faster_ = BatchCode::kOneByOne;
  // The least that a thousand packets took in the trial in hand.
  std::atomic<std::uint64_t> each_time_ = kNone;
  std::atomic<std::uint64_t> lanes_time_ = kNone;
};

}  // namespace weir::jit
