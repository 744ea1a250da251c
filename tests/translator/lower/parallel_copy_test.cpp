#include "translator/lower/extended/regalloc/parallel_copy.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/random/choices.h"

namespace weir::lower {
namespace {

constexpr Location kSpare = {Location::kFirstSlot + 20};

Location reg(std::uint16_t number) { return {number}; }

// What is where after the copies, one by one, when at first every place holds its own number. A
// copy between slots loses r0.
std::map<std::uint16_t, std::uint32_t> after(const std::vector<Copy>& copies) {
  std::map<std::uint16_t, std::uint32_t> places;
  for (std::uint16_t id = 0; id < 64; ++id) {
    places[id] = id;
  }
  for (const Copy& copy : copies) {
    const std::uint32_t value = places[copy.from.id];
    if (copy.from.is_slot() && copy.to.is_slot()) {
      places[0] = 999;
    }
    places[copy.to.id] = value;
  }
  return places;
}

TEST(Location, CopiesThatDoNothingAreDropped) {
  EXPECT_TRUE(sequentialise({{reg(2), reg(2)}, {kSpare, kSpare}}, kSpare).empty());
}

TEST(Location, AChainNeedsNoSparePlace) {
  const auto copies = sequentialise({{reg(2), reg(1)}, {reg(3), reg(2)}, {reg(4), reg(3)}}, kSpare);
  EXPECT_EQ(copies.size(), 3U);
}

TEST(Location, ACycleCostsOneCopyMore) {
  const auto copies = sequentialise({{reg(2), reg(1)}, {reg(1), reg(2)}}, kSpare);
  EXPECT_EQ(copies.size(), 3U);
  EXPECT_EQ(after(copies)[1], 2U);
  EXPECT_EQ(after(copies)[2], 1U);
}

TEST(Location, RandomCopiesAllArrive) {
  const std::uint64_t seed = random::seed_or(1);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  for (int i = 0; i < 5000; ++i) {
    // r1 to r9 and slots 0 to 9.
    const auto any = [&](std::uint16_t low) {
      const auto n = static_cast<std::uint16_t>(low + choices.below(20 - low));
      return Location{n < 10 ? n : static_cast<std::uint16_t>(Location::kFirstSlot + n - 10)};
    };
    std::map<std::uint16_t, std::uint16_t> wanted;
    for (std::uint32_t n = choices.below(20); n > 0; --n) {
      wanted[any(1).id] = any(1).id;
    }
    std::vector<Copy> copies;
    for (const auto& [to, from] : wanted) {
      copies.push_back({{to}, {from}});
    }
    auto places = after(sequentialise(copies, kSpare));
    for (std::uint16_t id = 1; id < kSpare.id; ++id) {
      ASSERT_EQ(places[id], wanted.contains(id) ? wanted[id] : id) << id;
    }
  }
}

}  // namespace
}  // namespace weir::lower
