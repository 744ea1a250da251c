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

TEST(ChainsToSets, ManyComparesOfOneValueAreOneTest) {
  EXPECT_EQ(after("chains_to_sets", R"(
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 80 ? b8 : b1
b1:
  branch eq v0, 443 ? b8 : b2
b2:
  branch ne v0, 53 ? b3 : b8
b3:
  branch eq v0, 81 ? b8 : b4
b4:
  branch eq v0, 20 ? b8 : b5
b5:
  branch eq v0, 22 ? b8 : b6
b6:
  branch eq v0, 23 ? b8 : b7
b7:
  branch eq v0, 25 ? b8 : b9
b8:
  return 1
b9:
  return 0
)"),
            R"(
s0 = set 1 { 0x14, 0x16..0x17, 0x19, 0x35, 0x50..0x51, 0x1bb }
b0:
  need 14
  v0 = load 2 [12]
  v1 = in s0, v0
  branch ne v1, 0 ? b1 : b2
b1:
  return 1
b2:
  return 0
)");
}

TEST(ChainsToSets, AFewStayAsTheyAre) {
  const std::string few = R"(
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x50 ? b3 : b1
b1:
  branch eq v0, 0x1bb ? b3 : b2
b2:
  branch eq v0, 0x35 ? b3 : b4
b3:
  return 1
b4:
  return 0
)";
  EXPECT_EQ(after("chains_to_sets", few), few);
}

// Ranges as libpcap writes them, a net, and a test that takes members out of what comes later.
TEST(ChainsToSets, RangesMasksAndExceptions) {
  EXPECT_EQ(after("chains_to_sets", R"(
b0:
  need 4
  v0 = load 4 [0]
  branch eq v0, 0x0a000001 ? b9 : b1
b1:
  branch ge v0, 100 ? b2 : b3
b2:
  branch gt v0, 200 ? b3 : b8
b3:
  v1 = and v0, 0xff000000
  branch eq v1, 0x0a000000 ? b8 : b4
b4:
  branch le v0, 5 ? b8 : b5
b5:
  branch eq v0, 7 ? b8 : b6
b6:
  branch eq v0, 9 ? b8 : b7
b7:
  branch eq v0, 11 ? b8 : b9
b8:
  return 1
b9:
  return 0
)"),
            R"(
s0 = set 1 { 0..5, 7, 9, 0xb, 0x64..0xc8, 0xa000000, 0xa000002..0xaffffff }
b0:
  need 4
  v0 = load 4 [0]
  v1 = and v0, 0xff000000
  v2 = in s0, v0
  branch ne v2, 0 ? b1 : b2
b1:
  return 1
b2:
  return 0
)");
}

// Source and destination, mixed as `host` mixes them.
TEST(ChainsToSets, EachValueGetsASetOfItsOwn) {
  EXPECT_EQ(after("chains_to_sets", R"(
s0 = set 1 { 7, 9 }
b0:
  need 8
  v0 = load 4 [0]
  branch eq v0, 3 ? b4 : b1
b1:
  v1 = load 4 [4]
  branch eq v1, 3 ? b4 : b2
b2:
  v2 = in s0, v0
  branch ne v2, 0 ? b4 : b3
b3:
  v3 = in s0, v1
  branch eq v3, 0 ? b5 : b4
b4:
  return 1
b5:
  return 0
)"),
            R"(
s0 = set 1 { 7, 9 }
s1 = set 1 { 3, 7, 9 }
b0:
  need 8
  v0 = load 4 [0]
  v1 = load 4 [4]
  v2 = in s0, v0
  v3 = in s0, v1
  v4 = in s1, v0
  branch ne v4, 0 ? b2 : b1
b1:
  v5 = in s1, v1
  branch ne v5, 0 ? b2 : b3
b2:
  return 1
b3:
  return 0
)");
}

// A packet that is too short for the later tests is accepted by the earlier ones all the same.
TEST(ChainsToSets, NeedsStayWhereTheyAre) {
  EXPECT_EQ(after("chains_to_sets", R"(
s0 = set 1 { 7, 9 }
b0:
  need 4
  v0 = load 4 [0]
  branch eq v0, 3 ? b4 : b1
b1:
  need 8
  v1 = load 4 [4]
  branch eq v1, 3 ? b4 : b2
b2:
  v2 = in s0, v1
  branch ne v2, 0 ? b4 : b3
b3:
  v3 = in s0, v0
  branch eq v3, 0 ? b5 : b4
b4:
  return 1
b5:
  return 0
)"),
            R"(
s0 = set 1 { 7, 9 }
s1 = set 1 { 3, 7, 9 }
s2 = set 1 { 7, 9 }
b0:
  need 4
  v0 = load 4 [0]
  branch eq v0, 3 ? b3 : b1
b1:
  need 8
  v1 = load 4 [4]
  v2 = in s0, v1
  v3 = in s0, v0
  v4 = in s1, v1
  branch ne v4, 0 ? b3 : b2
b2:
  v5 = in s2, v0
  branch ne v5, 0 ? b3 : b4
b3:
  return 1
b4:
  return 0
)");
}

TEST(ChainsToSets, TheWholeKeySaysWhatItsBeginningSays) {
  EXPECT_EQ(after("chains_to_sets", R"(
s0 = set 1 { 1..2 }
s1 = set 2 { 1:5, 2:7..2:9 }
b0:
  need 8
  v0 = load 4 [0]
  v1 = in s0, v0
  branch eq v1, 0 ? b3 : b1
b1:
  v2 = load 4 [4]
  v3 = join v0, v2
  v4 = in s1, v3
  branch eq v4, 0 ? b3 : b2
b2:
  return 1
b3:
  return 0
)"),
            R"(
s0 = set 1 { 1..2 }
s1 = set 2 { 1:5, 2:7..2:9 }
s2 = set 2 { 1:5, 2:7..2:9 }
b0:
  need 8
  v0 = load 4 [0]
  v1 = in s0, v0
  v2 = load 4 [4]
  v3 = join v0, v2
  v4 = in s1, v3
  v5 = in s2, v3
  branch ne v5, 0 ? b1 : b2
b1:
  return 1
b2:
  return 0
)");
}

// The first member of a list stands before the set of the others, word by word, as that of source
// and destination do here.
TEST(ChainsToSets, WordsThatAreComparedOneByOneAreAKey) {
  EXPECT_EQ(after("chains_to_sets", R"(
s0 = set 2 { 1:5, 2:7..2:9 }
b0:
  need 8
  v0 = load 4 [0]
  branch eq v0, 3 ? b1 : b2
b1:
  v1 = load 2 [4]
  branch eq v1, 6 ? b6 : b2
b2:
  v2 = load 2 [6]
  branch eq v2, 3 ? b3 : b4
b3:
  v3 = load 2 [4]
  branch eq v3, 6 ? b6 : b4
b4:
  v4 = load 2 [4]
  v5 = join v0, v4
  v6 = in s0, v5
  branch ne v6, 0 ? b6 : b5
b5:
  v7 = join v2, v4
  v8 = in s0, v7
  branch ne v8, 0 ? b6 : b7
b6:
  return 1
b7:
  return 0
)"),
            R"(
s0 = set 2 { 1:5, 2:7..2:9 }
s1 = set 2 { 1:5, 2:7..2:9, 3:6 }
b0:
  need 8
  v0 = load 4 [0]
  v1 = load 2 [4]
  v2 = load 2 [6]
  v3 = load 2 [4]
  v4 = load 2 [4]
  v5 = join v0, v4
  v6 = in s0, v5
  v7 = join v2, v4
  v8 = in s0, v7
  v9 = in s1, v5
  branch ne v9, 0 ? b2 : b1
b1:
  v10 = in s1, v7
  branch ne v10, 0 ? b2 : b3
b2:
  return 1
b3:
  return 0
)");
}

// ---- Random graphs of tests, tried on every number there is to tell apart ----

class RandomTests {
 public:
  explicit RandomTests(random::Choices& choices) : choices_(choices), builder_(function_) {}

  ir::Function make() {
    const std::uint32_t sets = choices_.below(4);
    for (std::uint32_t i = 0; i < sets; ++i) {
      function_.sets.push_back(random_set(i == 0 ? 2 : 1));
    }
    const std::uint32_t count = 2 + choices_.below(40);
    for (std::uint32_t i = 0; i < count + 2; ++i) {
      builder_.add_block();
    }
    builder_.need(0, ir::kNoValue, 3);
    for (std::uint8_t i = 0; i < 3; ++i) {
      values_.push_back(builder_.load(0, 1, ir::kNoValue, i));
    }
    const std::uint32_t values = choices_.pick<std::uint32_t>({1, 1, 2, 3});
    values_.resize(values);
    for (ir::BlockId block = 0; block < count; ++block) {
      if (block + 2 < count && choices_.chance(20)) {
        add_test_of_two(block++, count);
      } else {
        add_test(block, count);
      }
    }
    builder_.end_return(count, builder_.constant(1));
    builder_.end_return(count + 1, builder_.constant(0));
    ir::remove_unreachable_blocks(function_);
    ir::compact(function_);
    return std::move(function_);
  }

 private:
  ir::Set random_set(std::uint8_t words) {
    std::vector<ir::Range> ranges;
    for (std::uint32_t n = 1 + choices_.below(5); n > 0; --n) {
      ir::Key low = ir::Key::of(choices_.below(20));
      low = words == 2 ? low.append(choices_.below(20)) : low;
      const ir::Key high{.upper = 0, .lower = low.lower + choices_.below(4)};
      ranges.push_back({low, high});
    }
    return ir::make_set(words, std::move(ranges));
  }

  // One side mostly leads to the next block, the other mostly out.
  void add_test(ir::BlockId block, std::uint32_t count) {
    if (choices_.chance(4)) {
      builder_.need(block, ir::kNoValue, 3 + choices_.below(3));
    }
    const auto out = [&] {
      return choices_.chance(80) ? count : choices_.chance(80) ? count + 1 : later(block, count);
    };
    ir::Edge on{.to = choices_.chance(75) ? block + 1 : later(block, count)};
    ir::Edge away{.to = choices_.chance(85) ? out() : later(block, count)};
    if (block + 1 == count) {
      on.to = count + choices_.below(2);
    }
    const bool turned = choices_.chance(35);
    const auto [compare, a, b] = test(block);
    builder_.end_branch(block, compare, a, b, turned ? away : on, turned ? on : away);
  }

  // Two numbers that make a key.
  void add_test_of_two(ir::BlockId block, std::uint32_t count) {
    const ir::Edge no{.to = block + 2};
    builder_.end_branch(block, ir::Compare::kEq, values_.front(),
                        builder_.constant(choices_.below(20)), {.to = block + 1}, no);
    builder_.end_branch(block + 1, ir::Compare::kEq, values_.back(),
                        builder_.constant(choices_.below(20)), {.to = count}, no);
  }

  std::uint32_t later(ir::BlockId block, std::uint32_t count) {
    return block + 1 + choices_.below(count + 1 - block);
  }

  struct Test {
    ir::Compare compare;
    ir::ValueId a;
    ir::ValueId b;
  };
  Test test(ir::BlockId block) {
    const ir::ValueId value = values_[choices_.below(static_cast<std::uint32_t>(values_.size()))];
    const std::uint32_t number = choices_.below(24);
    if (!function_.sets.empty() && choices_.chance(20)) {
      const std::uint32_t set = choices_.below(static_cast<std::uint32_t>(function_.sets.size()));
      const ir::ValueId key =
          set == 0
              ? builder_.append(
                    block,
                    {.op = ir::Op::kJoin, .width = 2, .a = values_.front(), .b = values_.back()})
              : value;
      return {choices_.pick({ir::Compare::kEq, ir::Compare::kNe}),
              builder_.append(block, {.op = ir::Op::kIn, .k = set, .a = key}),
              builder_.constant(0)};
    }
    if (choices_.chance(15)) {
      const std::uint32_t mask = choices_.pick({0xfffffff8U, 0xfffffffeU, 7U});
      const ir::ValueId masked =
          builder_.arithmetic(block, ir::Op::kAnd, value, builder_.constant(mask));
      return {choices_.pick({ir::Compare::kEq, ir::Compare::kNe}), masked,
              builder_.constant(choices_.chance(90) ? number & mask : number)};
    }
    const auto compare = choices_.pick({ir::Compare::kEq, ir::Compare::kEq, ir::Compare::kEq,
                                        ir::Compare::kNe, ir::Compare::kGt, ir::Compare::kGe,
                                        ir::Compare::kLt, ir::Compare::kLe, ir::Compare::kSet});
    const ir::ValueId constant = builder_.constant(choices_.chance(2) ? 0xffffffff : number);
    return choices_.chance(10) ? Test{compare, constant, value} : Test{compare, value, constant};
  }

  random::Choices& choices_;
  ir::Function function_;
  ir::FunctionBuilder builder_;
  std::vector<ir::ValueId> values_;
};

TEST(ChainsToSets, RandomTestsKeepTheirMeaning) {
  const std::uint64_t seed = random::seed_or(12);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  std::uint32_t changed = 0;
  const std::uint32_t functions = random::share_of(4000);
  for (std::uint32_t i = 0; i < functions; ++i) {
    const ir::Function before = RandomTests(choices).make();
    const Status right = ir::check(before);
    ASSERT_TRUE(right) << to_string(right.error()) << "\n" << ir::print(before);
    ir::Function function = before;
    PassOptions options{.passes = {"chains_to_sets"}, .check = true};
    const auto ran = run_passes(function, options);
    ASSERT_TRUE(ran) << to_string(ran.error()) << "\n" << ir::print(before);
    changed += function.blocks.size() < before.blocks.size() ? 1 : 0;
    for (int j = 0; j < 150; ++j) {
      std::uint8_t bytes[6];
      for (std::uint8_t& byte : bytes) {
        byte = static_cast<std::uint8_t>(choices.chance(95) ? choices.below(25) : choices.any());
      }
      const std::size_t length = choices.chance(80) ? 6 : choices.below(6);
      const cbpf::Packet packet{.captured = Bytes(bytes).first(length), .wire_length = 6};
      ASSERT_EQ(ir::evaluate(function, packet), ir::evaluate(before, packet))
          << to_hex(packet.captured) << "\n"
          << ir::print(before) << ir::print(function);
    }
  }
  EXPECT_GT(changed, functions / 10);
}

}  // namespace
}  // namespace weir::opt
