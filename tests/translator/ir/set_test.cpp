#include "translator/ir/set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "cbpf/packet.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/text/text.h"

namespace weir::ir {
namespace {

Key key(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return Key::of(a).append(b).append(c).append(d);
}

TEST(Key, IsItsWordsInOrder) {
  const Key k = key(1, 2, 3, 4);
  EXPECT_EQ(k.upper, 0x0000000100000002U);
  EXPECT_EQ(k.lower, 0x0000000300000004U);
  EXPECT_EQ(k.word(0), 4U);
  EXPECT_EQ(k.word(1), 3U);
  EXPECT_EQ(k.word(2), 2U);
  EXPECT_EQ(k.word(3), 1U);
  EXPECT_EQ(k.without(0), k);
  EXPECT_EQ(k.without(1), Key::of(1).append(2).append(3));
  EXPECT_EQ(k.without(2), Key::of(1).append(2));
  EXPECT_EQ(k.without(3), Key::of(1));
  EXPECT_LT(key(1, 2, 3, 4), key(1, 2, 4, 0));
  EXPECT_LT(key(1, 2, 3, 4), key(2, 0, 0, 0));
}

TEST(Key, NextCarries) {
  EXPECT_EQ(key(0, 0, 0, 7).next(), key(0, 0, 0, 8));
  EXPECT_EQ(key(0, 7, ~0U, ~0U).next(), key(0, 8, 0, 0));
  EXPECT_EQ(Key::last(4).next(), Key{});
  for (std::uint32_t words = 1; words <= kMaxWords; ++words) {
    EXPECT_EQ(Key::last(words).without(words - 1), Key::of(~0U));
    EXPECT_EQ(Key::last(words).without(words), Key{});
  }
}

TEST(Set, MergesWhatOverlapsOrTouches) {
  EXPECT_EQ(make_set({{5, 7}, {1, 2}, {3, 3}, {6, 9}, {11, 11}}),
            make_set({{1, 3}, {5, 9}, {11, 11}}));
  EXPECT_EQ(make_set({{0, ~0U}, {7, 7}}).ranges.size(), 1U);
  EXPECT_EQ(unite(make_set({{1, 3}, {9, 9}}), make_set({{4, 5}, {9, 20}})),
            make_set({{1, 5}, {9, 20}}));
}

TEST(Set, PrefixesAreWhatMembersBeginWith) {
  const Set set =
      make_set(4, {{key(1, 2, 3, 4), key(1, 2, 3, 4)}, {key(1, 5, 0, 0), key(3, 0, ~0U, ~0U)}});
  EXPECT_EQ(prefixes(set, 1), make_set({{1, 3}}));
  EXPECT_EQ(prefixes(set, 2), make_set(2, {{Key::of(1).append(2), Key::of(1).append(2)},
                                           {Key::of(1).append(5), Key::of(3).append(0)}}));
}

TEST(Set, RightIsSortedDisjointAndMerged) {
  const auto range = [](std::uint32_t low, std::uint32_t high) {
    return Range{Key::of(low), Key::of(high)};
  };
  EXPECT_TRUE(is_right({}));
  EXPECT_TRUE(is_right({.ranges = {range(1, 2), range(4, 4)}}));
  EXPECT_FALSE(is_right({.ranges = {range(1, 2), range(3, 4)}}));
  EXPECT_FALSE(is_right({.ranges = {range(4, 4), range(1, 2)}}));
  EXPECT_FALSE(is_right({.ranges = {range(1, 2), range(2, 4)}}));
  EXPECT_FALSE(is_right({.ranges = {range(2, 1)}}));
  EXPECT_FALSE(is_right({.words = 0}));
  EXPECT_FALSE(is_right({.words = 5}));
  const Range wide{Key::of(1).append(0), Key::of(1).append(0)};
  EXPECT_FALSE(is_right({.words = 1, .ranges = {wide}}));
  EXPECT_TRUE(is_right({.words = 2, .ranges = {wide}}));
}

// Random sets of small numbers against a table of who is in.
TEST(Set, ContainsItsMembersOnly) {
  std::mt19937 random(1);
  const auto below = [&](std::uint32_t n) {
    return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(random);
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<bool> in(65);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
    for (std::uint32_t n = below(12); n-- > 0;) {
      const std::uint32_t low = below(64);
      const std::uint32_t high = low + below(64 - low);
      ranges.emplace_back(low, high);
      std::fill(in.begin() + low, in.begin() + high + 1, true);
    }
    const Set set = make_set(ranges);
    ASSERT_TRUE(is_right(set));
    for (std::uint32_t k = 0; k < in.size(); ++k) {
      EXPECT_EQ(set.contains(Key::of(k)), in[k]) << k;
    }
  }
}

TEST(Set, IsEvaluatedByWordAndByKey) {
  const auto function = parse(R"(function EN10MB {
    s0 = set 1 { 3, 5..7 }
    s1 = set 3 { 1:2:3..1:2:9 }
    b0:
      need 3
      v0 = load 1 [0] v1 = load 1 [1] v2 = load 1 [2]
      v3 = in s0, v2
      v4 = join v0, v1 v5 = join v4, v2
      v6 = in s1, v5
      v7 = shl v3, 1
      v8 = or v7, v6
      return v8
    })");
  ASSERT_TRUE(function) << to_string(function.error());
  const auto run = [&](std::vector<std::uint8_t> bytes) {
    cbpf::Packet packet;
    packet.captured = bytes;
    return evaluate(*function, packet);
  };
  EXPECT_EQ(run({1, 2, 2}), 0U);
  EXPECT_EQ(run({1, 2, 3}), 3U);
  EXPECT_EQ(run({1, 2, 4}), 1U);
  EXPECT_EQ(run({1, 1, 4}), 0U);
  EXPECT_EQ(run({2, 2, 7}), 2U);
}

}  // namespace
}  // namespace weir::ir
