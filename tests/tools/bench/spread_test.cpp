#include <gtest/gtest.h>

#include "tools/bench/measure/statistics.h"

namespace weir::bench {
namespace {

TEST(Spread, IsTheEndsAndTheMiddle) {
  const Spread spread = spread_of({4, 1, 3, 2});
  EXPECT_EQ(spread.min, 1);
  EXPECT_EQ(spread.median, 2.5);
  EXPECT_EQ(spread.max, 4);
  EXPECT_EQ(spread_of({7}).noise, 0);
}

// 1.57 * (7 - 3) / 3, by hand; 9 values in an order without a drift.
TEST(Spread, NoiseIsTheNotchOfABoxPlot) {
  EXPECT_NEAR(spread_of({1, 9, 2, 8, 5, 7, 4, 6, 3}).noise, 1.57 * 4 / 3, 1e-9);
}

// The quartiles of so many values that scatter little leave nothing of a drift but the halves.
TEST(Spread, NoiseSeesADrift) {
  std::vector<double> values(100, 10);
  EXPECT_EQ(spread_of(values).noise, 0);
  std::fill(values.begin() + 50, values.end(), 14);
  EXPECT_EQ(spread_of(values).noise, 2);
}

TEST(Spread, OneRoundThatIsFarOffIsNoNoise) {
  std::vector<double> values(60, 10);
  values[30] = -163;
  EXPECT_EQ(spread_of(values).noise, 0);
}

TEST(Spread, ATenthOfTheMedianIsTolerated) {
  EXPECT_EQ(excess_noise({.median = 100, .noise = 10}, 3), 1);
  EXPECT_EQ(excess_noise({.median = -100, .noise = 20}, 3), 2);
  EXPECT_EQ(excess_noise({.median = 1, .noise = 6}, 3), 2) << "and the least that is tolerated";
}

}  // namespace
}  // namespace weir::bench
