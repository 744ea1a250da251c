// The small tools of passes: the builder's constants, the graph, rewriting, bounds.
#include <gtest/gtest.h>

#include <random>

#include "translator/ir/bounds.h"
#include "translator/ir/builder.h"
#include "translator/ir/check.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/graph.h"
#include "translator/ir/rewrite.h"
#include "translator/ir/text/text.h"

namespace weir::ir {
namespace {

TEST(FunctionBuilder, InternsConstantsWhoeverMadeThem) {
  Function function;
  FunctionBuilder first(function);
  std::vector<ValueId> ids;
  for (std::uint32_t k = 0; k < 1000; ++k) {
    ids.push_back(first.constant(k * 0x10001));
  }
  FunctionBuilder second(function);
  for (std::uint32_t k = 0; k < 1000; ++k) {
    EXPECT_EQ(first.constant(k * 0x10001), ids[k]);
    EXPECT_EQ(second.constant(k * 0x10001), ids[k]);
  }
  EXPECT_EQ(function.values.size(), 1000U);
}

// A function of random edges forward, every block reachable.
Function random_graph(std::mt19937& random, BlockId blocks) {
  Function function;
  FunctionBuilder builder(function);
  const ValueId zero = builder.constant(0);
  for (BlockId block = 0; block < blocks; ++block) {
    builder.add_block();
  }
  for (BlockId block = 0; block + 1 < blocks; ++block) {
    const BlockId far = std::uniform_int_distribution<BlockId>(block + 1, blocks - 1)(random);
    builder.end_branch(block, Compare::kEq, zero, zero, {.to = block + 1, .arguments = {}},
                       {.to = far, .arguments = {}});
    if (random() % 3 == 0) {
      builder.end_jump(block, {.to = far, .arguments = {}});
    }
  }
  builder.end_return(blocks - 1, zero);
  remove_unreachable_blocks(function);
  return function;
}

// Whether a way from the entry to `to` avoids `without`.
bool reaches(const Function& function, BlockId to, BlockId without) {
  std::vector<bool> reached(function.blocks.size());
  reached[0] = without != 0;
  for (BlockId block = 0; block < function.blocks.size(); ++block) {
    for (const Edge& edge : function.blocks[block].terminator.edges) {
      if (reached[block] && edge.to != without) {
        reached[edge.to] = true;
      }
    }
  }
  return reached[to];
}

TEST(Dominators, AreTheBlocksNoWayAvoids) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    const Function function = random_graph(random, 30);
    const auto blocks = static_cast<BlockId>(function.blocks.size());
    const Dominators dominators(Predecessors(function), blocks);
    for (BlockId a = 0; a < blocks; ++a) {
      for (BlockId b = 0; b < blocks; ++b) {
        EXPECT_EQ(dominators.dominates(a, b), a == b || !reaches(function, b, a))
            << a << " " << b << "\n"
            << print(function);
        const BlockId common = dominators.common(a, b);
        EXPECT_TRUE(dominators.dominates(common, a) && dominators.dominates(common, b));
      }
      EXPECT_TRUE(dominators.dominates(dominators.immediate(a), a));
    }
  }
}

TEST(Predecessors, NameEveryWayIn) {
  const Function function = parse(R"(function EN10MB {
    b0: v0 = length branch eq v0, 1 ? b2 : b1
    b1: branch eq v0, 2 ? b2 : b2
    b2: return 0 })")
                                .value();
  const Predecessors predecessors(function);
  EXPECT_EQ(predecessors.of(0).size(), 0U);
  EXPECT_EQ(predecessors.of(1).size(), 1U);
  ASSERT_EQ(predecessors.of(2).size(), 3U);
  EXPECT_EQ(predecessors.of(2)[0].from, 0U);
  EXPECT_EQ(predecessors.of(2)[0].edge, 0U);
  EXPECT_EQ(predecessors.of(2)[2].from, 1U);
  EXPECT_EQ(predecessors.of(2)[2].edge, 1U);
}

TEST(Replacements, FollowEachOther) {
  Function function = parse(R"(function EN10MB {
    b0:
      v0 = length
      v1 = ancillary mark
      v2 = ancillary cpu
      v3 = add v1, v2
      jump b1(v2)
    b1(v4):
      return v4 })")
                          .value();
  Replacements replacements(function);
  const std::vector<ValueId> body = function.blocks[0].body;
  replacements.replace(body[2], body[1]);
  replacements.replace(body[1], body[0]);
  replacements.apply(function);
  EXPECT_EQ(print(function), R"(function EN10MB {
b0:
  v0 = length
  v1 = ancillary mark
  v2 = ancillary cpu
  v3 = add v0, v0
  jump b1(v0)
b1(v4):
  return v4
}
)");
  const std::vector<std::uint32_t> uses = count_uses(function);
  EXPECT_EQ(uses[body[0]], 3U);
  EXPECT_EQ(uses[body[1]], 0U);
  std::vector<bool> dead(function.values.size());
  dead[body[1]] = dead[body[2]] = true;
  remove_values(function, dead);
  compact(function);
  EXPECT_EQ(function.values.size(), 3U);
  EXPECT_TRUE(check(function).has_value());
}

TEST(Bounds, HoldForEveryOperation) {
  std::mt19937 random(11);
  const auto number = [&random] { return static_cast<std::uint32_t>(random() >> (random() % 32)); };
  for (int round = 0; round < 200000; ++round) {
    const auto op = static_cast<Op>(static_cast<std::uint32_t>(Op::kAdd) + random() % 13);
    const std::uint32_t most_a = number();
    const std::uint32_t most_b = number();
    const bool constant = random() % 2 == 0;
    const auto at_most = [&](std::uint32_t most) {
      return std::uniform_int_distribution<std::uint32_t>(0, most)(random);
    };
    const std::uint32_t a = at_most(most_a);
    const std::uint32_t b = constant ? most_b : at_most(most_b);
    EXPECT_LE(evaluate_arithmetic(op, a, b), upper_bound({.op = op}, most_a, most_b, constant))
        << static_cast<int>(op) << " " << a << " " << b << " " << most_a << " " << most_b;
  }
}

TEST(Bounds, ParametersTakeTheLargestOfTheirArguments) {
  const Function function = parse(R"(function EN10MB {
    b0:
      need 2
      v0 = load 2 [0]
      v1 = and v0, 0xf
      v2 = shl v1, 2
      branch eq v1, 1 ? b1(v2) : b1(7)
    b1(v3):
      return v3 })")
                                .value();
  EXPECT_EQ(upper_bounds(function)[function.blocks[1].parameters[0]], 60U);
}

}  // namespace
}  // namespace weir::ir
