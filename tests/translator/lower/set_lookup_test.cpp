// Set tests in both machines of user space, against the set itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "tests/translator/lower/random_set.h"
#include "translator/ebpf/check.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ir/check.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/text/text.h"
#include "translator/jit/jit.h"
#include "translator/lower/extended/sets/hash_table.h"
#include "translator/lower/extended/sets/set_plan.h"
#include "translator/lower/to_extended.h"
#include "translator/userspace/bounds_analysis.h"
#include "translator/vm/machine.h"

namespace weir::lower {
namespace {

using ir::Key;
using ir::Range;

constexpr std::uint32_t largest_of(std::uint8_t width) {
  return width == 4 ? 0xffffffff : (1U << 8 * width) - 1;
}

// The program gives what the evaluator gives, for keys at the edges and others, and nothing it
// reads has to be checked while it runs.
void judge(const ir::Set& set, std::uint8_t width, bool as_number, random::Choices& choices,
           std::size_t& members) {
  const ir::Function function = set_function(set, width, as_number);
  const Status right = ir::check(function);
  ASSERT_TRUE(right) << to_string(right.error());
  const auto program = to_extended(function, target(TargetId::kUser));
  ASSERT_TRUE(program) << to_string(program.error());
  const Status checked = ebpf::check(*program);
  ASSERT_TRUE(checked) << to_string(checked.error());
  EXPECT_EQ(ebpf::prove_packet_accesses(*program).unproven, 0U)
      << ebpf::disassemble(program->instructions);
  const auto machine = vm::Machine::load(*program);
  ASSERT_TRUE(machine) << to_string(machine.error());
  const auto native = jit::NativeProgram::compile(*program, {}, {.runs_on = jit::RunsOn::kPackets});
  ASSERT_TRUE(native) << to_string(native.error());
  for (const Key& key : telling_keys(choices, set, 60)) {
    const auto bytes = packet_with(key, set.words, width);
    const cbpf::Packet packet{.captured = bytes, .wire_length = kKeyPacket};
    const std::uint32_t wanted = ir::evaluate(function, packet);
    const ebpf::UserPacket given{bytes.data(), kKeyPacket, kKeyPacket};
    std::uint32_t got[2] = {99, 99};
    ASSERT_TRUE(machine->run_packets({&given, 1}, {&got[0], 1}));
    ASSERT_TRUE(native->run_packets({&given, 1}, {&got[1], 1}));
    ASSERT_EQ(got[0], wanted) << to_hex(bytes) << "\n" << ebpf::disassemble(program->instructions);
    ASSERT_EQ(got[1], wanted) << to_hex(bytes) << "\n" << ebpf::disassemble(program->instructions);
    members += wanted == (as_number ? 5U : 1U) ? 1 : 0;
  }
}

TEST(SetLookup, FindsWhatIsInTheSet) {
  const std::uint64_t seed = random::seed_or(5);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  std::size_t members = 0;
  const std::uint32_t sets = random::share_of(2000);
  for (std::uint32_t i = 0; i < sets; ++i) {
    const auto words = choices.pick<std::uint8_t>({1, 1, 1, 2, 3, 4});
    const auto width = choices.pick<std::uint8_t>({1, 2, 4, 4});
    const ir::Set set = random_set(choices, words, largest_of(width));
    judge(set, width, choices.chance(20), choices, members);
    if (HasFailure()) {
      FAIL() << "set " << i;
    }
  }
  EXPECT_GT(members, sets * 60 / 5);
}

// Every number of a small world, in sets that fill it in every way look-ups know.
TEST(SetLookup, WholeFieldsOfSixteenBits) {
  random::Choices choices(7);
  for (int i = 0; i < 12; ++i) {
    const ir::Set set = random_set(choices, 1, 0xffff);
    const ir::Function function = set_function(set, 2, false);
    const auto program = to_extended(function, target(TargetId::kUser));
    ASSERT_TRUE(program) << to_string(program.error());
    const auto machine = vm::Machine::load(*program);
    ASSERT_TRUE(machine) << to_string(machine.error());
    for (std::uint32_t number = 0; number <= 0xffff; ++number) {
      const auto bytes = packet_with(Key::of(number), 1, 2);
      const ebpf::UserPacket given{bytes.data(), kKeyPacket, kKeyPacket};
      std::uint32_t got = 99;
      ASSERT_TRUE(machine->run_packets({&given, 1}, {&got, 1}));
      ASSERT_EQ(got, set.contains(Key::of(number)) ? 1U : 0U) << number;
    }
  }
}

TEST(SetLookup, SetsOfNothingAndOfEverything) {
  random::Choices choices(8);
  std::size_t members = 0;
  for (std::uint8_t words = 1; words <= ir::kMaxWords; ++words) {
    judge(ir::make_set(words, {}), 4, false, choices, members);
    EXPECT_EQ(members, 0U);
    members = 0;
    judge(ir::make_set(words, {{Key{}, Key::last(words)}}), 4, false, choices, members);
    EXPECT_EQ(members, 60U);
    members = 0;
  }
}

// The size of a program does not hang on the size of its sets.
TEST(SetLookup, AHundredThousandMembersAreAFewInstructions) {
  random::Choices choices(9);
  std::vector<Range> hosts;
  std::vector<Range> hosts6;
  std::vector<Range> nets;
  for (int i = 0; i < 100000; ++i) {
    const Key host = Key::of(choices.any());
    hosts.push_back({host, host});
    const Key host6 = Key::of(0x20010db8).append(choices.any()).append(0).append(choices.any());
    hosts6.push_back({host6, host6});
    nets.push_back(net_of(Key::of(choices.any()), 16 + choices.below(17), 1));
  }
  std::size_t members = 0;
  const auto instructions = [&](const ir::Set& set) {
    judge(set, 4, false, choices, members);
    return to_extended(set_function(set, 4, false), target(TargetId::kUser))->instructions.size();
  };
  EXPECT_LT(instructions(ir::make_set(1, hosts)), 30U);
  EXPECT_LT(instructions(ir::make_set(4, hosts6)), 50U);
  EXPECT_LT(instructions(ir::make_set(1, nets)), 80U);
  EXPECT_GT(members, 0U);
}

TEST(HashTable, FindsEveryKeyAndHoldsNothingElse) {
  random::Choices choices(10);
  for (const std::uint32_t words : {1U, 2U, 3U, 4U}) {
    for (const std::uint32_t count : {1U, 2U, 7U, 100U, 250U, 5000U}) {
      std::set<Key> keys;
      const bool in_a_row = choices.chance(50);
      while (keys.size() < count) {
        const auto n = static_cast<std::uint32_t>(keys.size());
        keys.insert(in_a_row ? Key::of(0x0a000000 + n)
                             : random_key(choices, static_cast<std::uint8_t>(words)));
      }
      const auto table = make_hash_table({keys.begin(), keys.end()}, words);
      ASSERT_TRUE(table) << words << " words, " << count << " keys";
      const HashPlaces& places = table->places;
      ASSERT_EQ(table->slots.size(), std::size_t{1} << places.log_slots);
      EXPECT_LE(table->slots.size(), std::max<std::size_t>(4096, 8 * count));
      for (const Key& key : keys) {
        bool found = false;
        for (std::uint32_t look = 0; look < places.looks; ++look) {
          found = found || table->slots[places.place(key, look)] == key;
        }
        EXPECT_TRUE(found);
      }
      for (const Key& slot : table->slots) {
        EXPECT_TRUE(keys.contains(slot));
      }
    }
  }
}

}  // namespace
}  // namespace weir::lower
