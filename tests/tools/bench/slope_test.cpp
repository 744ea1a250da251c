// That the measurements run on this kernel and measure what they say; figures are nobody's test.
#include <gtest/gtest.h>

#include "cbpf/compile.h"
#include "tests/kernel/kernel.h"
#include "tools/bench/measure/hook_cost_by_slope.h"
#include "tools/bench/traffic/traffic.h"
#include "translator/translate.h"

namespace weir::bench {
namespace {

class Slope : public ::testing::TestWithParam<SlopeHook> {};

TEST_P(Slope, MeasuresBothMachines) {
  WEIR_NEEDS_KERNEL();
  const auto classic = cbpf::compile("tcp port 80");
  ASSERT_TRUE(classic);
  const auto valid = cbpf::validate(*classic);
  ASSERT_TRUE(valid);
  TranslateOptions options;
  options.target = GetParam() == SlopeHook::kTc ? lower::TargetId::kTc : lower::TargetId::kSocket;
  const auto extended = translate(*valid, options);
  ASSERT_TRUE(extended);
  const SlopeVariant variants[] = {{.classic = &*classic}, {.extended = &*extended}};
  const Traffic traffic = generate_mix(7, 100);
  const auto result = slope(GetParam(), variants, traffic.packets, {.rounds = 3, .burst = 64});
  ASSERT_TRUE(result) << to_string(result.error());
  ASSERT_EQ(result->net_ns.size(), 2U);
  EXPECT_EQ(result->net_ns[0].size(), 3U);
  EXPECT_EQ(result->net_ns[1].size(), 3U);
  EXPECT_GE(result->noise_ns, 0);
}

TEST_P(Slope, AProgramTheKernelRefusesIsAnError) {
  WEIR_NEEDS_KERNEL();
  const cbpf::Program no_return{{{cbpf::kLd | cbpf::kImm, 0, 0, 0}}};
  const SlopeVariant variants[] = {{.classic = &no_return}};
  const Traffic traffic = generate_mix(7, 100);
  EXPECT_FALSE(slope(GetParam(), variants, traffic.packets, {.rounds = 1, .burst = 1}));
}

INSTANTIATE_TEST_SUITE_P(Hooks, Slope, ::testing::Values(SlopeHook::kSocket, SlopeHook::kTc),
                         [](const auto& hook) {
                           return hook.param == SlopeHook::kTc ? "Tc" : "Socket";
                         });

}  // namespace
}  // namespace weir::bench
