#include "tools/bench/compare.h"

#include <gtest/gtest.h>

namespace weir::bench {
namespace {

TEST(Compare, NoiseSpoilsTheRowsOfItsMethodAlone) {
  Comparison comparison;
  comparison.noise = {{Method::kSocketSlope, 2.9}, {Method::kTcSlope, 3.1}};
  EXPECT_TRUE(comparison.credible(Method::kLoop));
  EXPECT_TRUE(comparison.credible(Method::kSocketSlope));
  EXPECT_FALSE(comparison.credible(Method::kTcSlope));
}

TEST(Compare, ARowIsBelievedWhereItsRoundsAndReplicatesAgree) {
  Comparison comparison;
  comparison.noise = {{Method::kSocketSlope, 2.5}, {Method::kTcSlope, 3.1}};
  const auto row = [](Method method, double noise) {
    return Row{.method = method, .ns_per_packet = {.median = 4, .noise = noise}};
  };
  EXPECT_TRUE(comparison.credible(row(Method::kLoop, 0.5)));
  EXPECT_FALSE(comparison.credible(row(Method::kLoop, 0.6)));
  EXPECT_TRUE(comparison.credible(row(Method::kSocketSlope, 2.9)));
  EXPECT_FALSE(comparison.credible(row(Method::kSocketSlope, 3.1)));
  EXPECT_FALSE(comparison.credible(row(Method::kTcSlope, 0)));
  EXPECT_EQ(comparison.noise_ns(row(Method::kSocketSlope, 1)), 2.5);
  EXPECT_EQ(comparison.noise_ns(row(Method::kSocketSlope, 2.7)), 2.7);
}

}  // namespace
}  // namespace weir::bench
