// Standing rules in the running kernel: they act on what matches, and count everything.
#include <gtest/gtest.h>

#include <vector>

#include "tests/kernel/kernel.h"
#include "tests/translator/lower/counters.h"
#include "tests/translator/lower/lowered.h"
#include "xdp/kernel/test_run.h"

namespace weir::lower {
namespace {

TEST(RuleKernel, RulesCountAndAct) {
  WEIR_NEEDS_KERNEL();
  std::vector<std::uint8_t> ip(60, 0);
  ip[12] = 0x08;
  ip[14] = 0x45;
  std::vector<std::uint8_t> arp(80, 0);
  arp[12] = 0x08;
  arp[13] = 0x06;
  for (const TargetId id : {TargetId::kTc, TargetId::kXdp}) {
    const Target& at = target(id);
    for (const Action action : {Action::kDrop, Action::kPass, Action::kCount}) {
      const auto in_kernel = loaded(compiled("ip"), id, Rule{.action = action, .text = "ip"});
      ASSERT_TRUE(in_kernel) << to_string(in_kernel.error()) << in_kernel.error().detail;
      const auto pass = static_cast<std::uint32_t>(at.rule_pass);
      const auto drop = static_cast<std::uint32_t>(at.drop);
      const auto on_ip = xdp::test_run(*in_kernel, ip);
      ASSERT_TRUE(on_ip) << to_string(on_ip.error());
      EXPECT_EQ(on_ip->value, action == Action::kDrop ? drop : pass);
      for (int i = 0; i < 2; ++i) {
        const auto on_arp = xdp::test_run(*in_kernel, arp);
        ASSERT_TRUE(on_arp) << to_string(on_arp.error());
        EXPECT_EQ(on_arp->value, action == Action::kPass ? drop : pass);
      }
      EXPECT_EQ(read_counter(*in_kernel, 1).packets, 1U);
      EXPECT_EQ(read_counter(*in_kernel, 1).bytes, 60U);
      EXPECT_EQ(read_counter(*in_kernel, 0).packets, 2U);
      EXPECT_EQ(read_counter(*in_kernel, 0).bytes, 160U);
    }
  }
}

}  // namespace
}  // namespace weir::lower
