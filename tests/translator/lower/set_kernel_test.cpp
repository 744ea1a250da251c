// Set tests before the running kernel: its verifier takes every kind of look-up at every hook, and
// test runs give the set's own answer.
#include <gtest/gtest.h>

#include <string>

#include "tests/kernel/kernel.h"
#include "tests/translator/lower/lowered.h"
#include "tests/translator/lower/random_set.h"
#include "translator/ebpf/disassemble.h"
#include "xdp/kernel/load.h"
#include "xdp/kernel/test_run.h"

namespace weir::lower {
namespace {

using ir::Key;

void judge(const ir::Set& set, std::uint8_t width, TargetId id, random::Choices& choices,
           std::uint32_t keys) {
  const bool as_number = target(id).returns_accept_length && choices.chance(20);
  ir::Function function = set_function(set, width, as_number);
  if (target(id).vlan_stripped) {
    function = restore_vlan_tag(function);
  }
  const auto program = to_extended(function, target(id));
  ASSERT_TRUE(program) << to_string(program.error());
  const auto in_kernel = xdp::load(*program, type_of(id));
  ASSERT_TRUE(in_kernel) << target(id).name << ": " << to_string(in_kernel.error()) << "\n"
                         << in_kernel.error().detail << ebpf::disassemble(program->instructions);
  // Nothing in it makes the verifier go many ways.
  EXPECT_LT(in_kernel->statistics().processed_instructions, 10000U);
  const auto yes = as_number                          ? 5U
                   : target(id).returns_accept_length ? 1U
                                                      : static_cast<std::uint32_t>(target(id).pass);
  for (Key key : telling_keys(choices, set, keys)) {
    if (set.words == 1) {
      key.lower &= (std::uint64_t{1} << 8 * width) - 1;
    }
    const auto bytes = packet_with(key, set.words, width);
    const auto run = xdp::test_run(*in_kernel, bytes);
    ASSERT_TRUE(run) << to_string(run.error());
    ASSERT_EQ(run->value == yes, set.contains(key)) << to_hex(bytes) << "\n"
                                                    << ebpf::disassemble(program->instructions);
  }
}

TEST(SetKernel, RandomSetsGiveTheirAnswer) {
  WEIR_NEEDS_KERNEL();
  const std::uint64_t seed = random::seed_or(6);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  for (std::uint32_t i = random::share_of(400); i > 0; --i) {
    const auto words = choices.pick<std::uint8_t>({1, 1, 1, 2, 3, 4});
    const auto width = choices.pick<std::uint8_t>({1, 2, 4, 4});
    const ir::Set set = random_set(choices, words, width == 4 ? ~0U : (1U << 8 * width) - 1);
    judge(set, width, choices.pick({TargetId::kSocket, TargetId::kTc, TargetId::kXdp}), choices,
          20);
    if (HasFailure()) {
      return;
    }
  }
}

TEST(SetKernel, AHundredThousandMembers) {
  WEIR_NEEDS_KERNEL();
  random::Choices choices(11);
  std::vector<ir::Range> hosts;
  std::vector<ir::Range> nets;
  std::vector<ir::Range> hosts6;
  std::vector<ir::Range> nets6;
  for (int i = 0; i < 100000; ++i) {
    const Key host = Key::of(choices.any());
    hosts.push_back({host, host});
    nets.push_back(net_of(Key::of(choices.any()), 16 + choices.below(17), 1));
    const Key host6 = Key::of(0x20010000).append(choices.any()).append(0).append(choices.any());
    hosts6.push_back({host6, host6});
    nets6.push_back(net_of(host6, 33 + choices.below(96), 4));
  }
  for (const TargetId id : kHooks) {
    judge(ir::make_set(1, hosts), 4, id, choices, 40);
    judge(ir::make_set(1, nets), 4, id, choices, 40);
    judge(ir::make_set(4, hosts6), 4, id, choices, 40);
    judge(ir::make_set(4, nets6), 4, id, choices, 40);
  }
}

}  // namespace
}  // namespace weir::lower
