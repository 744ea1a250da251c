// One check for two fields: shown on short functions, and judged on random ones.
#include "translator/opt/extended/share_bounds_check.h"

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

std::string checked_once(std::string_view text) {
  return rewritten(text, [](ir::Function& function) {
    share_bounds_check(function);
    ir::remove_unreachable_blocks(function);
  });
}

TEST(EitherTests, OneCheckForTwoPorts) {
  EXPECT_EQ(checked_once(R"(
function EN10MB {
b0:
  need 14
  v0 = load 1 [13]
  need v0 + 16
  v1 = load 2 [v0 + 14]
  branch eq v1, 0x50 ? b2 : b1
b1:
  need v0 + 18
  v2 = load 2 [v0 + 16]
  branch eq v2, 0x50 ? b2 : b3
b2:
  return 262144
b3:
  return 0
}
)"),
            R"(
function EN10MB {
b0:
  need 14
  v0 = load 1 [13]
  v1 = has v0 + 18
  branch ne v1, 0 ? b1 : b2
b1:
  need v0 + 18
  v2 = load 2 [v0 + 14]
  branch eq v2, 0x50 ? b4 : b3
b2:
  need v0 + 16
  v3 = load 2 [v0 + 14]
  branch eq v3, 0x50 ? b4 : b6
b3:
  need v0 + 18
  v4 = load 2 [v0 + 16]
  branch eq v4, 0x50 ? b4 : b5
b4:
  return 262144
b5:
  return 0
b6:
  return 0
}
)");
}

// Neither another base, nor a field far away, nor a first field that rejects.
TEST(EitherTests, OtherTestsStay) {
  for (const std::string_view text : {R"(
function EN10MB {
b0:
  need 14
  v0 = load 1 [13]
  branch eq v0, 1 ? b2 : b1
b1:
  need v0 + 18
  v1 = load 2 [v0 + 16]
  branch eq v1, 2 ? b2 : b3
b2:
  return 1
b3:
  return 0
}
)",
                                      R"(
function EN10MB {
b0:
  need 14
  v0 = load 1 [13]
  branch eq v0, 1 ? b2 : b1
b1:
  need 90
  v1 = load 2 [88]
  branch eq v1, 2 ? b2 : b3
b2:
  return 1
b3:
  return 0
}
)",
                                      R"(
function EN10MB {
b0:
  need 14
  v0 = load 1 [13]
  branch eq v0, 1 ? b1 : b3
b1:
  need 18
  v1 = load 2 [16]
  branch eq v1, 2 ? b2 : b3
b2:
  return 1
b3:
  return 0
}
)"}) {
    EXPECT_EQ(checked_once(text), text);
  }
}

// Up to four fields one behind the other, each accepting in its own way.
ir::Function random_alternatives(random::Choices& choices) {
  ir::Function function;
  ir::FunctionBuilder builder(function);
  const std::uint32_t tests = 2 + choices.below(3);
  for (std::uint32_t i = 0; i < tests + 3; ++i) {
    builder.add_block();
  }
  ir::ValueId base = ir::kNoValue;
  if (choices.chance(50)) {
    builder.need(0, ir::kNoValue, 1);
    base = builder.arithmetic(0, ir::Op::kAnd, builder.load(0, 1, ir::kNoValue, 0),
                              builder.constant(3));
  }
  std::uint32_t there = 1 + choices.below(3);
  for (std::uint32_t i = 0; i < tests; ++i) {
    builder.need(i, base, there + 2);
    const ir::ValueId field = builder.load(i, 2, base, there);
    const ir::Edge accept{.to = tests + choices.below(2)};
    const ir::Edge on{.to = i + 1 == tests ? tests + 2 : i + 1};
    if (choices.chance(50)) {
      builder.end_branch(i, ir::Compare::kEq, field, builder.constant(0x101), accept, on);
    } else {
      builder.end_branch(i, ir::Compare::kNe, field, builder.constant(0x101), on, accept);
    }
    there += choices.below(4);
  }
  builder.end_return(tests, builder.constant(1));
  builder.end_return(tests + 1, builder.constant(2));
  builder.end_return(tests + 2, builder.constant(0));
  ir::remove_unreachable_blocks(function);
  return function;
}

TEST(EitherTests, RandomAlternativesKeepTheirMeaning) {
  const std::uint64_t seed = random::seed_or(1);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  std::size_t changed = 0;
  std::size_t accepted = 0;
  const std::uint32_t functions = random::share_of(2000);
  for (std::uint32_t i = 0; i < functions; ++i) {
    const ir::Function before = random_alternatives(choices);
    ASSERT_TRUE(ir::check(before)) << ir::print(before);
    ir::Function after = before;
    share_bounds_check(after);
    ir::remove_unreachable_blocks(after);
    const Status checked = ir::check(after);
    ASSERT_TRUE(checked) << to_string(checked.error()) << ir::print(before) << ir::print(after);
    changed += after.blocks.size() > before.blocks.size() ? 1 : 0;
    for (int packet = 0; packet < 40; ++packet) {
      std::vector<std::uint8_t> bytes(choices.below(16));
      for (std::uint8_t& byte : bytes) {
        byte = static_cast<std::uint8_t>(choices.below(3));
      }
      const cbpf::Packet view{.captured = bytes,
                              .wire_length = static_cast<std::uint32_t>(bytes.size())};
      const std::uint32_t wanted = ir::evaluate(before, view);
      ASSERT_EQ(ir::evaluate(after, view), wanted) << ir::print(before) << ir::print(after);
      accepted += wanted != 0 ? 1 : 0;
    }
  }
  EXPECT_GT(changed, functions / 2);
  EXPECT_GT(accepted, functions);
}

}  // namespace
}  // namespace weir::lower
