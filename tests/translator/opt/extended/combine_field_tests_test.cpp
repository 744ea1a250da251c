// Tests of fields that lie together: shown on short functions, and judged on random ones.
#include "translator/opt/extended/combine_field_tests.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/random/choices.h"
#include "tests/translator/opt/extended/rewritten.h"
#include "translator/ir/builder.h"
#include "translator/ir/check.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/rewrite.h"
#include "translator/ir/text/text.h"

namespace weir::lower {
namespace {

std::string widened(std::string_view text) {
  return rewritten(text, [](ir::Function& function) {
    combine_field_tests(function);
    ir::compact(function);
  });
}

TEST(WideTests, ProtocolAndFragmentAreOneQuestion) {
  EXPECT_EQ(widened(R"(
function EN10MB {
b0:
  need 24
  v0 = load 1 [23]
  branch eq v0, 6 ? b1 : b3
b1:
  v1 = load 2 [20]
  branch set v1, 0x1fff ? b3 : b2
b2:
  return 1
b3:
  return 0
}
)"),
            R"(
function EN10MB {
b0:
  need 24
  v0 = load 4 [20]
  v1 = and v0, 0x1fff00ff
  branch eq v1, 6 ? b1 : b2
b1:
  return 1
b2:
  return 0
}
)");
}

TEST(WideTests, WholeNeighboursNeedNoMask) {
  EXPECT_EQ(widened(R"(
function EN10MB {
b0:
  need 16
  v0 = load 2 [12]
  branch ne v0, 0x1234 ? b2 : b1
b1:
  v1 = load 2 [14]
  branch eq v1, 0x5678 ? b3 : b2
b2:
  return 0
b3:
  return 1
}
)"),
            R"(
function EN10MB {
b0:
  need 16
  v0 = load 4 [12]
  branch eq v0, 0x12345678 ? b2 : b1
b1:
  return 0
b2:
  return 1
}
)");
}

// Byte 24 is not known to be there.
TEST(WideTests, StayWithinWhatIsThere) {
  EXPECT_EQ(widened(R"(
function EN10MB {
b0:
  need 24
  v0 = load 1 [21]
  branch eq v0, 1 ? b1 : b3
b1:
  v1 = load 1 [23]
  branch eq v1, 2 ? b2 : b3
b2:
  return 1
b3:
  return 0
}
)"),
            R"(
function EN10MB {
b0:
  need 24
  v0 = load 4 [20]
  v1 = and v0, 0xff00ff
  branch eq v1, 0x10002 ? b1 : b2
b1:
  return 1
b2:
  return 0
}
)");
}

TEST(WideTests, FieldsThatOthersReadStay) {
  constexpr std::string_view kText = R"(
function EN10MB {
b0:
  need 16
  v0 = load 1 [12]
  branch eq v0, 1 ? b1 : b3
b1:
  v1 = load 1 [13]
  branch eq v1, 2 ? b2 : b3
b2:
  return v1
b3:
  return 0
}
)";
  EXPECT_EQ(widened(kText), kText);
}

TEST(WideTests, TestsThatLeadToDifferentPlacesStay) {
  constexpr std::string_view kText = R"(
function EN10MB {
b0:
  need 16
  v0 = load 1 [12]
  branch eq v0, 1 ? b1 : b3
b1:
  v1 = load 1 [13]
  branch eq v1, 2 ? b2 : b4
b2:
  return 1
b3:
  return 0
b4:
  return 2
}
)";
  EXPECT_EQ(widened(kText), kText);
}

// A chain of tests of random fields in the first bytes behind a base, each of which rejects to one
// of two places.
ir::Function random_chain(random::Choices& choices) {
  ir::Function function;
  ir::FunctionBuilder builder(function);
  const std::uint32_t tests = 2 + choices.below(4);
  for (std::uint32_t i = 0; i < tests + 3; ++i) {
    builder.add_block();
  }
  ir::ValueId base = ir::kNoValue;
  const std::uint32_t there = 5 + choices.below(4);
  if (choices.chance(30)) {
    builder.need(0, ir::kNoValue, 1);
    base = builder.arithmetic(0, ir::Op::kAnd, builder.load(0, 1, ir::kNoValue, 0),
                              builder.constant(3));
  }
  builder.need(0, base, there);
  for (std::uint32_t i = 0; i < tests; ++i) {
    const std::uint32_t width = choices.pick({1U, 1U, 2U, 2U, 4U});
    const std::uint32_t offset = choices.below(there - width + 1);
    const std::uint32_t all = width == 4 ? 0xffffffff : (1U << 8 * width) - 1;
    ir::ValueId field = builder.load(i, static_cast<std::uint8_t>(width), base, offset);
    std::uint32_t mask = all;
    if (choices.chance(40)) {
      mask = choices.pick({0xfU, 0xf0U, 0x1fffU, 0xff00U, 0x80000001U, 0xffffffffU});
      field = builder.arithmetic(i, ir::Op::kAnd, field, builder.constant(mask));
    }
    // The packets are full of 1: so tests hold often.
    const std::uint32_t value =
        choices.chance(90) ? 0x01010101 & all & mask : choices.any() & 0x1ff;
    const ir::Edge yes{.to = i + 1};
    const ir::Edge no{.to = tests + (choices.chance(85) ? 1 : 2)};
    switch (choices.below(4)) {
      case 0:
        builder.end_branch(i, ir::Compare::kNe, field, builder.constant(value), no, yes);
        break;
      case 1:
        builder.end_branch(i, ir::Compare::kClear, field, builder.constant(0x80 | 0x2000), yes, no);
        break;
      case 2:
        builder.end_branch(i, ir::Compare::kSet, field, builder.constant(2), no, yes);
        break;
      default:
        builder.end_branch(i, ir::Compare::kEq, field, builder.constant(value), yes, no);
    }
  }
  builder.end_return(tests, builder.constant(1));
  builder.end_return(tests + 1, builder.constant(0));
  builder.end_return(tests + 2, builder.constant(2));
  ir::remove_unreachable_blocks(function);
  return function;
}

TEST(WideTests, RandomChainsKeepTheirMeaning) {
  const std::uint64_t seed = random::seed_or(1);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  std::size_t shorter = 0;
  std::size_t accepted = 0;
  const std::uint32_t chains = random::share_of(3000);
  for (std::uint32_t i = 0; i < chains; ++i) {
    const ir::Function before = random_chain(choices);
    ASSERT_TRUE(ir::check(before)) << ir::print(before);
    ir::Function after = before;
    combine_field_tests(after);
    const Status checked = ir::check(after);
    ASSERT_TRUE(checked) << to_string(checked.error()) << ir::print(before) << ir::print(after);
    shorter += after.blocks.size() < before.blocks.size() ? 1 : 0;
    for (int packet = 0; packet < 40; ++packet) {
      std::vector<std::uint8_t> bytes(choices.below(13));
      for (std::uint8_t& byte : bytes) {
        byte = static_cast<std::uint8_t>(choices.chance(93) ? 1 : choices.any());
      }
      const cbpf::Packet view{.captured = bytes,
                              .wire_length = static_cast<std::uint32_t>(bytes.size())};
      const std::uint32_t wanted = ir::evaluate(before, view);
      ASSERT_EQ(ir::evaluate(after, view), wanted) << ir::print(before) << ir::print(after);
      accepted += wanted == 1 ? 1 : 0;
    }
  }
  EXPECT_GT(shorter, chains / 5);
  EXPECT_GT(accepted, chains);
}

}  // namespace
}  // namespace weir::lower
