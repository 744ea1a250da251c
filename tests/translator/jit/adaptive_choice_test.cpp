// The choice between two codes, with times that are told instead of measured.
#include "translator/jit/simd/adaptive_choice.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::jit {
namespace {

constexpr std::size_t kBatch = 1024;

struct Times {
  std::uint64_t each = 0;  // Of a batch.
  std::uint64_t lanes = 0;
};

// Runs batches of so many packets; how many of these ran in lanes.
std::uint64_t run(AdaptiveChoice& choice, std::uint64_t packets, Times times) {
  std::uint64_t in_lanes = 0;
  for (std::uint64_t done = 0; done < packets; done += kBatch) {
    const AdaptiveChoice::Turn turn = choice.next(kBatch);
    const bool by_lanes = turn.code == BatchCode::kInLanes;
    in_lanes += by_lanes ? kBatch : 0;
    if (turn.timed) {
      choice.took(turn.code, by_lanes ? times.lanes : times.each, kBatch);
    }
  }
  return in_lanes;
}

TEST(AdaptiveChoice, TheFasterRunsAfterTheTrial) {
  AdaptiveChoice lanes_win;
  run(lanes_win, AdaptiveChoice::kTrial, {.each = 3000, .lanes = 2000});
  EXPECT_EQ(run(lanes_win, 100 * kBatch, {}), 100 * kBatch);
  AdaptiveChoice each_wins;
  run(each_wins, AdaptiveChoice::kTrial, {.each = 2000, .lanes = 3000});
  EXPECT_EQ(run(each_wins, 100 * kBatch, {}), 0U);
}

TEST(AdaptiveChoice, ItIsAskedAgainWhenTheTrafficChanges) {
  AdaptiveChoice choice;
  run(choice, AdaptiveChoice::kTrial, {.each = 3000, .lanes = 2000});
  const Times turned = {.each = 1000, .lanes = 2000};
  run(choice, AdaptiveChoice::kLeastInterval + 2 * AdaptiveChoice::kTrial, turned);
  EXPECT_EQ(run(choice, 100 * kBatch, turned), 0U);
}

TEST(AdaptiveChoice, OneInterruptionDoesNotDecide) {
  AdaptiveChoice choice;
  bool first = true;
  for (std::uint64_t done = 0; done < AdaptiveChoice::kTrial; done += kBatch) {
    const AdaptiveChoice::Turn turn = choice.next(kBatch);
    if (turn.timed && turn.code == BatchCode::kInLanes) {
      choice.took(turn.code, first ? 1000000 : 2000, kBatch);
      first = false;
    } else if (turn.timed) {
      choice.took(turn.code, 3000, kBatch);
    }
  }
  EXPECT_EQ(choice.next(kBatch).code, BatchCode::kInLanes);
}

TEST(AdaptiveChoice, TrialsBecomeRare) {
  AdaptiveChoice choice;
  constexpr std::uint64_t kPackets = 400 * AdaptiveChoice::kTrial;
  const std::uint64_t in_lanes = run(choice, kPackets, {.each = 3000, .lanes = 2000});
  const std::uint64_t others = kPackets - in_lanes;
  EXPECT_GT(others, AdaptiveChoice::kEachTaught);  // More than one trial,
  EXPECT_LE(others, 5 * AdaptiveChoice::kTrial);   // and few.
}

// A code that nobody has timed is not chosen.
TEST(AdaptiveChoice, WithoutTimesPacketsAreRunOneByOne) {
  AdaptiveChoice choice;
  (void)choice.next(AdaptiveChoice::kTrial);
  EXPECT_EQ(choice.next(kBatch).code, BatchCode::kOneByOne);
}

}  // namespace
}  // namespace weir::jit
