#include <gtest/gtest.h>

#include "cbpf/compile.h"
#include "tests/kernel/kernel.h"
#include "tools/bench/measure/hook_cost_live_frames.h"
#include "tools/bench/traffic/traffic.h"
#include "translator/translate.h"

namespace weir::bench {
namespace {

TEST(LiveCost, MeasuresEveryProgramInEveryRound) {
  WEIR_NEEDS_KERNEL();
  const auto classic = cbpf::compile("tcp port 80");
  ASSERT_TRUE(classic);
  const auto valid = cbpf::validate(*classic);
  ASSERT_TRUE(valid);
  TranslateOptions options;
  options.target = lower::TargetId::kXdp;
  const auto program = translate(*valid, options);
  ASSERT_TRUE(program);
  const ebpf::Program* programs[] = {&*program, &*program};
  const Traffic traffic = generate_mix(7, 100);
  const auto result =
      live_cost(programs, traffic.packets, {.rounds = 3, .frames = 1000, .packets = 2});
  ASSERT_TRUE(result) << to_string(result.error());
  ASSERT_EQ(result->added_ns.size(), 2U);
  EXPECT_EQ(result->added_ns[1].size(), 3U);
  EXPECT_GT(result->drop_ns, 0);
}

TEST(LiveCost, TrafficWithoutAFrameIsSaid) {
  WEIR_NEEDS_KERNEL();
  const auto result = live_cost({}, {}, {.rounds = 1});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace weir::bench
