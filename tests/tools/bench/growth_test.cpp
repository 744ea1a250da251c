#include "tools/bench/growth.h"

#include <gtest/gtest.h>

#include <cmath>

namespace weir::bench {
namespace {

TEST(Growth, TheExponentOfAPower) {
  std::vector<GrowthPoint> points;
  for (const std::uint32_t hosts : {10U, 100U, 1000U}) {
    points.push_back({.hosts = hosts});
  }
  const auto power = [](double p) {
    return [p](const GrowthPoint& point) { return std::optional(7 * std::pow(point.hosts, p)); };
  };
  EXPECT_NEAR(growth_exponent(points, power(1)).value_or(0), 1, 1e-9);
  EXPECT_NEAR(growth_exponent(points, power(2.5)).value_or(0), 2.5, 1e-9);
  EXPECT_FALSE(growth_exponent(points, [](const GrowthPoint&) { return std::optional<double>(); }));
  points.resize(1);
  EXPECT_FALSE(growth_exponent(points, power(1)));
}

TEST(Growth, EveryListIsSetUp) {
  const auto points =
      measure_growth({.hosts = {2, 20}, .peer_seconds = 5, .load = false, .progress = {}});
  ASSERT_TRUE(points) << to_string(points.error());
  ASSERT_EQ(points->size(), 2U);
  for (const GrowthPoint& point : *points) {
    EXPECT_GT(point.setup.total_ns(lower::TargetId::kXdp).value_or(0), 0);
    ASSERT_TRUE(point.plain);
    EXPECT_TRUE(point.optimised);
  }
  EXPECT_LT((*points)[0].plain->program.instructions.size(),
            (*points)[1].plain->program.instructions.size());
}

}  // namespace
}  // namespace weir::bench
