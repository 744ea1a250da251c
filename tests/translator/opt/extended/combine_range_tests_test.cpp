// Chains of tests of one value: shown on short functions, and judged on random ones.
#include "translator/opt/extended/combine_range_tests.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/random/choices.h"
#include "translator/ir/builder.h"
#include "translator/ir/check.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/rewrite.h"
#include "translator/ir/text/text.h"

namespace weir::lower {
namespace {

// What becomes of a branch to b1 or b3 of a load of two bytes, and one in b1 to b2 or b3.
std::string joined(const std::string& first, const std::string& second) {
  const std::string text = "function EN10MB {\nb0:\n  need 14\n  v0 = load 2 [12]\n  branch " +
                           first + "\nb1:\n  branch " + second +
                           "\nb2:\n  return 1\nb3:\n  return 0\n}\n";
  auto function = ir::parse(text);
  EXPECT_TRUE(function) << to_string(function.error());
  combine_range_tests(*function);
  const Status checked = ir::check(*function);
  EXPECT_TRUE(checked) << to_string(checked.error());
  const std::string after = ir::print(*function);
  const std::size_t begin = after.find("[12]\n") + 5;
  return after.substr(begin, after.find("\nb1:") - begin);
}

TEST(IntervalTests, ARangeIsOneTest) {
  EXPECT_EQ(joined("ge v0, 8000 ? b1 : b3", "le v0, 8100 ? b2 : b3"),
            "  v1 = sub v0, 0x1f40\n  branch le v1, 0x64 ? b1 : b2");
  EXPECT_EQ(joined("lt v0, 8000 ? b3 : b1", "gt v0, 8100 ? b3 : b2"),
            "  v1 = sub v0, 0x1f40\n  branch le v1, 0x64 ? b1 : b2");
  EXPECT_EQ(joined("eq v0, 0 ? b3 : b1", "le v0, 1023 ? b2 : b3"),
            "  v1 = sub v0, 1\n  branch le v1, 0x3fe ? b1 : b2");
}

TEST(IntervalTests, ATestThatTheNextOneAnswersGoes) {
  EXPECT_EQ(joined("eq v0, 0x86dd ? b3 : b1", "eq v0, 0x800 ? b2 : b3"),
            "  branch eq v0, 0x800 ? b1 : b2");
  EXPECT_EQ(joined("gt v0, 5 ? b1 : b3", "ge v0, 9 ? b2 : b3"), "  branch ge v0, 9 ? b1 : b2");
  EXPECT_EQ(joined("ne v0, 0 ? b1 : b3", "le v0, 0xffff ? b2 : b3"), "  branch ne v0, 0 ? b1 : b2");
}

TEST(IntervalTests, WhatIsNoIntervalStays) {
  EXPECT_EQ(joined("eq v0, 5 ? b2 : b1", "eq v0, 7 ? b2 : b3"), "  branch eq v0, 5 ? b2 : b1");
}

TEST(IntervalTests, RandomChainsKeepTheirMeaning) {
  const std::uint64_t seed = random::seed_or(1);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  std::size_t shorter = 0;
  const std::uint32_t chains = random::share_of(3000);
  for (std::uint32_t i = 0; i < chains; ++i) {
    ir::Function before;
    ir::FunctionBuilder builder(before);
    const std::uint32_t tests = 2 + choices.below(3);
    for (std::uint32_t b = 0; b < tests + 2; ++b) {
      builder.add_block();
    }
    builder.need(0, ir::kNoValue, 1);
    const ir::ValueId value = builder.load(0, 1, ir::kNoValue, 0);
    for (std::uint32_t b = 0; b < tests; ++b) {
      const auto compare = choices.pick({ir::Compare::kEq, ir::Compare::kNe, ir::Compare::kGt,
                                         ir::Compare::kGe, ir::Compare::kLt, ir::Compare::kLe});
      const auto any = [&] { return ir::Edge{.to = b + 1 + choices.below(tests + 1 - b)}; };
      const std::uint32_t k =
          choices.chance(10) ? choices.pick({0U, 255U, 256U, 0xffffffffU}) : choices.below(12);
      builder.end_branch(b, compare, value, builder.constant(k), any(), any());
    }
    builder.end_return(tests, builder.constant(1));
    builder.end_return(tests + 1, builder.constant(0));
    ir::remove_unreachable_blocks(before);
    ASSERT_TRUE(ir::check(before)) << ir::print(before);
    ir::Function after = before;
    combine_range_tests(after);
    const Status checked = ir::check(after);
    ASSERT_TRUE(checked) << to_string(checked.error()) << ir::print(before) << ir::print(after);
    shorter += after.blocks.size() < before.blocks.size() ? 1 : 0;
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const auto bytes = static_cast<std::uint8_t>(byte);
      const cbpf::Packet packet{.captured = {&bytes, 1}, .wire_length = 1};
      ASSERT_EQ(ir::evaluate(after, packet), ir::evaluate(before, packet))
          << byte << "\n"
          << ir::print(before) << ir::print(after);
    }
  }
  EXPECT_GT(shorter, chains / 5);
}

}  // namespace
}  // namespace weir::lower
