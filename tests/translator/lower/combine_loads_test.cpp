// Which loads are made together, and masks that become one.
#include "translator/lower/extended/packet/combine_loads.h"

#include <gtest/gtest.h>

#include <string_view>

#include "translator/ir/text/text.h"
#include "translator/lower/extended/emit/fold_masks.h"

namespace weir::lower {
namespace {

std::map<LoadKey, LoadWindow> planned(std::string_view text) {
  const auto function = ir::parse(text);
  EXPECT_TRUE(function) << to_string(function.error());
  return plan_combined_loads(*function, std::vector<bool>(function->values.size(), true));
}

TEST(LoadWindows, LoadsOnOneWayThatLieTogetherAreOne) {
  const auto windows = planned(R"(
function EN10MB {
b0:
  need 24
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1 : b2
b1:
  v1 = load 1 [14]
  v2 = load 1 [23]
  v3 = add v1, v2
  return v3
b2:
  return 0
}
)");
  ASSERT_EQ(windows.size(), 2U);
  for (const std::uint32_t offset : {12U, 14U}) {
    const auto window = windows.find({ir::kNoValue, offset});
    ASSERT_NE(window, windows.end());
    EXPECT_EQ(window->second.offset, 12U);
    EXPECT_EQ(window->second.width, 4);
  }
}

TEST(LoadWindows, HoldOnlyWhatIsKnownToBeThere) {
  const auto windows = planned(R"(
function EN10MB {
b0:
  need 15
  v0 = load 2 [12]
  v1 = load 1 [14]
  v2 = add v0, v1
  return v2
}
)");
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows.begin()->second.end(), 15U);
  EXPECT_TRUE(planned(R"(
function EN10MB {
b0:
  need 14
  v0 = load 2 [12]
  need 18
  v1 = load 2 [16]
  v2 = add v0, v1
  return v2
}
)")
                  .empty());
}

TEST(LoadWindows, LoadsOnDifferentWaysAreNotForEachOther) {
  EXPECT_TRUE(planned(R"(
function EN10MB {
b0:
  need 24
  v0 = length
  branch gt v0, 100 ? b1 : b2
b1:
  v1 = load 1 [20]
  return v1
b2:
  v2 = load 1 [21]
  return v2
}
)")
                  .empty());
}

TEST(FoldMasks, AMaskOfAMaskIsOne) {
  machine::Function function;
  function.vregs.resize(4);
  function.blocks.resize(1);
  function.order = {0};
  const auto mask = [](machine::Vreg to, machine::Vreg from, std::uint32_t bits) {
    return machine::Instruction{.op = machine::Op::kAlu,
                                .alu = ebpf::AluOp::kAnd,
                                .dst = to,
                                .a = from,
                                .b = machine::Operand::constant(bits)};
  };
  function.blocks[0].body = {mask(2, 1, 0xff), mask(3, 2, 0x1f0f)};
  fold_masks(function);
  const machine::Instruction& second = function.blocks[0].body[1];
  EXPECT_EQ(second.a, 1U);
  EXPECT_EQ(second.b.imm, 0x0f);
}

}  // namespace
}  // namespace weir::lower
