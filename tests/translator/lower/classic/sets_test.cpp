// Set tests of classic programs: packed ones on every number there is, all shapes at their edges.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "cbpf/interpret.h"
#include "cbpf/text/disassemble.h"
#include "cbpf/validate.h"
#include "tests/random/choices.h"
#include "tests/translator/lower/random_set.h"
#include "translator/lower/classic/mask_sets.h"
#include "translator/lower/to_classic.h"

namespace weir::lower {
namespace {

std::vector<std::uint32_t> random_members(random::Choices& choices, std::uint32_t low,
                                          std::uint32_t high, std::uint32_t count) {
  std::set<std::uint32_t> members;
  while (members.size() < count) {
    members.insert(low + choices.below(high - low + 1));
  }
  return {members.begin(), members.end()};
}

bool finds(const classic::PackedSet& set, std::uint32_t a) {
  for (const classic::PackedStep& step : set.steps) {
    a = step.operation == cbpf::kMul   ? a * step.k
        : step.operation == cbpf::kXor ? a ^ step.k
                                       : a + step.k;
    if (std::any_of(step.masks.begin(), step.masks.end(),
                    [a](std::uint32_t mask) { return (a & mask) == 0; })) {
      return true;
    }
  }
  return std::find(set.rest.begin(), set.rest.end(), a) != set.rest.end();
}

TEST(Packer, FindsTheMembersAndNobodyElse) {
  const std::uint64_t seed = random::seed_or(1992);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  classic::Packer packer;
  for (int i = 0; i < 20; ++i) {
    const std::uint32_t span = 1U << (7 + choices.below(10));
    const std::uint32_t low = choices.pick<std::uint32_t>(
        {0, choices.below(0x10000 - span + 1), 0xffffffff - span + 1, choices.any() / 2});
    const std::uint32_t high = low + span - 1;
    const auto members = random_members(choices, low, high, 12 + choices.below(39));
    const classic::PackedSet& packed = packer.pack(members, low, high);
    EXPECT_LE(packed.size(), members.size());
    for (std::uint64_t number = low; number <= high; ++number) {
      const auto a = static_cast<std::uint32_t>(number);
      ASSERT_EQ(finds(packed, a), std::binary_search(members.begin(), members.end(), a))
          << number << " of " << low << " to " << high;
    }
  }
}

TEST(Packer, TakesAThirdOffRandomPorts) {
  random::Choices choices(1);
  classic::Packer packer;
  const auto members = random_members(choices, 1, 65535, 50);
  EXPECT_LE(packer.pack(members, 0, 65535).size(), 40U);
}

TEST(Packer, LeavesWhatIsTooWideOrTooMuch) {
  random::Choices choices(2);
  classic::Packer packer;
  const auto wide = random_members(choices, 0, 0x10000, 20);
  EXPECT_EQ(packer.pack(wide, 0, 0x10000).rest, wide);
  const auto many = random_members(choices, 0, 999, 51);
  EXPECT_EQ(packer.pack(many, 0, 999).rest, many);
}

void judge(const ir::Set& set, std::uint8_t width, const std::vector<ir::Key>& keys) {
  const auto program = to_classic(set_function(set, width, false));
  ASSERT_TRUE(program) << to_string(program.error());
  const auto validated = cbpf::validate(*program, cbpf::Dialect::kLinux);
  const auto runnable = cbpf::validate(*program);
  ASSERT_TRUE(runnable) << to_string(runnable.error());
  // Linux takes all but those that are too long.
  EXPECT_EQ(validated.has_value(), program->instructions.size() <= cbpf::kMaxLinuxInstructions);
  for (const ir::Key& key : keys) {
    const std::vector<std::uint8_t> packet = packet_with(key, set.words, width);
    const cbpf::Packet view{.captured = packet,
                            .wire_length = static_cast<std::uint32_t>(packet.size())};
    ASSERT_EQ(cbpf::interpret(*runnable, view), set.contains(key) ? 1U : 0U)
        << std::hex << key.upper << " " << key.lower << "\n"
        << cbpf::disassemble(*program).substr(0, 20000);
  }
}

TEST(ClassicSets, AnswerForEveryPort) {
  const std::uint64_t seed = random::seed_or(1988);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  std::vector<ir::Key> keys;
  for (std::uint32_t port = 0; port < 0x10000; ++port) {
    keys.push_back(ir::Key::of(port));
  }
  for (std::uint32_t i = random::share_of(40); i > 0 && !testing::Test::HasFailure(); --i) {
    judge(random_set(choices, 1, 0xffff), 2, keys);
  }
}

TEST(ClassicSets, AnswerAtTheirEdges) {
  const std::uint64_t seed = random::seed_or(1989);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  for (std::uint32_t i = random::share_of(200); i > 0 && !testing::Test::HasFailure(); --i) {
    const std::uint8_t width = choices.pick<std::uint8_t>({1, 2, 4, 4, 4});
    const ir::Set set = random_set(choices, 1, width == 4 ? 0xffffffff : (1U << 8 * width) - 1);
    std::vector<ir::Key> keys = telling_keys(choices, set, 500);
    for (ir::Key& key : keys) {
      key = ir::Key::of(key.word(0) & (width == 4 ? 0xffffffff : (1U << 8 * width) - 1));
    }
    judge(set, width, keys);
  }
}

}  // namespace
}  // namespace weir::lower
