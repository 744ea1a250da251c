#include <gtest/gtest.h>

#include <string>

#include "tests/random/choices.h"
#include "tests/translator/opt/pass_text.h"
#include "translator/ir/builder.h"
#include "translator/ir/check.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/rewrite.h"

namespace weir::opt {
namespace {

// The first of two tests that hold wins, also where the later one is the wider.
TEST(ChainsToSwitches, ManyPlacesAreASwitch) {
  EXPECT_EQ(after("chains_to_switches", R"(
b0:
  need 2
  v0 = load 2 [0]
  branch eq v0, 80 ? b8 : b1
b1:
  branch eq v0, 443 ? b9 : b2
b2:
  v1 = and v0, 0xfffffff0
  branch eq v1, 80 ? b9 : b3
b3:
  branch ne v0, 53 ? b4 : b10
b4:
  branch eq v0, 1 ? b10 : b5
b5:
  branch eq v0, 80 ? b10 : b6
b6:
  branch eq v0, 3 ? b8 : b7
b7:
  branch gt v0, 1000 ? b8 : b10
b8:
  return 1
b9:
  return 2
b10:
  return 0
)"),
            R"(
b0:
  need 2
  v0 = load 2 [0]
  v1 = and v0, 0xfffffff0
  switch v0 { 3 => b1, 0x50 => b1, 0x51..0x5f => b2, 0x1bb => b2, 0x3e9..0xffffffff => b1, else => b3 }
b1:
  return 1
b2:
  return 2
b3:
  return 0
)");
}

TEST(ChainsToSwitches, AFewStayAsTheyAre) {
  constexpr char kFew[] = R"(
b0:
  need 2
  v0 = load 2 [0]
  branch eq v0, 0x50 ? b3 : b1
b1:
  branch eq v0, 0x1bb ? b4 : b2
b2:
  branch eq v0, 0x35 ? b5 : b3
b3:
  return 1
b4:
  return 2
b5:
  return 0
)";
  EXPECT_EQ(after("chains_to_switches", kFew), kFew);
}

// A chain of tests of a byte that lead to random places and hand random values on.
ir::Function random_chain(random::Choices& choices) {
  ir::Function function;
  ir::FunctionBuilder builder(function);
  const std::uint32_t count = 8 + choices.below(30);
  for (std::uint32_t i = 0; i < count + 4; ++i) {
    builder.add_block();
  }
  const auto place = builder.add_parameter(count + 3);
  builder.need(0, ir::kNoValue, 2);
  const auto value = builder.load(0, 1, ir::kNoValue, 0);
  const auto other = builder.load(0, 1, ir::kNoValue, 1);
  for (ir::BlockId block = 0; block < count; ++block) {
    ir::Edge away{.to = count + choices.below(4)};
    if (away.to == count + 3) {
      away.arguments = {choices.chance(50) ? other : builder.constant(choices.below(3) + 7)};
    }
    ir::Edge on{.to = block + 1};
    const auto compare = choices.pick({ir::Compare::kEq, ir::Compare::kEq, ir::Compare::kEq,
                                       ir::Compare::kNe, ir::Compare::kGt, ir::Compare::kLe});
    // What goes on is mostly everything but a number.
    const bool turned = (compare == ir::Compare::kEq) == choices.chance(98);
    const auto asked = choices.chance(2) ? other : value;
    builder.end_branch(block, compare, asked, builder.constant(choices.below(40)),
                       turned ? away : on, turned ? on : away);
  }
  for (std::uint32_t i = 0; i < 3; ++i) {
    builder.end_return(count + i, builder.constant(i));
  }
  builder.end_return(count + 3, place);
  ir::remove_unreachable_blocks(function);
  return function;
}

TEST(ChainsToSwitches, RandomChainsKeepTheirMeaning) {
  const std::uint64_t seed = random::seed_or(13);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  std::uint32_t switches = 0;
  const std::uint32_t functions = random::share_of(2000);
  for (std::uint32_t i = 0; i < functions; ++i) {
    const ir::Function before = random_chain(choices);
    const Status right = ir::check(before);
    ASSERT_TRUE(right) << to_string(right.error()) << "\n" << ir::print(before);
    ir::Function function = before;
    PassOptions options{.passes = {"chains_to_switches"}, .check = true};
    const auto ran = run_passes(function, options);
    ASSERT_TRUE(ran) << to_string(ran.error()) << "\n" << ir::print(before);
    for (const ir::Block& block : function.blocks) {
      switches += block.terminator.end == ir::End::kSwitch ? 1 : 0;
    }
    for (std::uint32_t number = 0; number < 256; ++number) {
      const std::uint8_t bytes[2] = {static_cast<std::uint8_t>(number),
                                     static_cast<std::uint8_t>(choices.below(45))};
      const cbpf::Packet packet{.captured = bytes, .wire_length = 2};
      ASSERT_EQ(ir::evaluate(function, packet), ir::evaluate(before, packet))
          << number << "\n"
          << ir::print(before) << ir::print(function);
    }
  }
  EXPECT_GT(switches, functions / 4);
}

}  // namespace
}  // namespace weir::opt
