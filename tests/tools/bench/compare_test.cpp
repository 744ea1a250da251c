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

}  // namespace
}  // namespace weir::bench
