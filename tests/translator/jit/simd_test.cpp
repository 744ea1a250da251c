// Batches run in lanes against the interpreter, where a lane could go wrong: packets of every
// length, that end where memory ends, in every place of a group.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "tests/cbpf/expressions.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"
#include "tests/translator/vm/both_machines.h"
#include "translator/jit/simd/simd_program.h"
#include "translator/jit/simd/simd_values.h"
#include "translator/translate.h"
#include "translator/userspace/bounds_analysis.h"
#include "translator/userspace/packet_program.h"

namespace weir::jit {
namespace {

// A page behind which there is none that may be read, and another that may be read before it.
class GuardedPages {
 public:
  static constexpr std::size_t kPage = 4096;
  GuardedPages()
      : pages_(static_cast<std::uint8_t*>(
            mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    EXPECT_NE(static_cast<void*>(pages_), MAP_FAILED);
    EXPECT_EQ(mprotect(pages_ + 2 * kPage, kPage, PROT_NONE), 0);
  }
  ~GuardedPages() { munmap(pages_, 3 * kPage); }
  GuardedPages(const GuardedPages&) = delete;
  GuardedPages& operator=(const GuardedPages&) = delete;

  std::uint8_t* end() const { return pages_ + 2 * kPage; }

 private:
  std::uint8_t* pages_;
};

ebpf::Program translated(const std::string& expression) {
  return translate(cbpf::validate(cbpf::compile(expression).value()).value()).value();
}

std::optional<SimdProgram> lanes_of(const ebpf::Program& program) {
  const auto form = ebpf::packet_program(program, ebpf::prove_packet_accesses(program));
  return form ? simd_program(*form, program.instructions) : std::nullopt;
}

TEST(Lanes, OrdinaryFiltersFit) {
  for (const char* expression :
       {"ip", "tcp port 80", "tcp[tcpflags] & tcp-syn != 0 and net 10.0.0.0/8",
        "(tcp port 443 and ip6) or udp port 53 or icmp", "len > 100", "vlan 5 and host 10.0.0.1"}) {
    EXPECT_TRUE(lanes_of(translated(expression)).has_value()) << expression;
  }
}

TEST(Lanes, FieldsThatStandTogetherShareAWindow) {
  const auto form = lanes_of(translated("ip proto 6 and src host 10.0.0.1"));
  ASSERT_TRUE(form.has_value());
  ASSERT_FALSE(form->windows.empty());
  EXPECT_LE(form->windows.size(), 2U);
  EXPECT_EQ(form->reach, 30);  // Behind the address.
}

// Both ports in one; the other is of packets that end between them.
TEST(Lanes, PortsAreGatheredTogether) {
  const auto form = lanes_of(translated("tcp port 80"));
  ASSERT_TRUE(form.has_value());
  int common = 0;
  int rare = 0;
  for (std::size_t id = 0; id < form->values.size(); ++id) {
    const SimdValue& value = form->values[id];
    if (value.op == SimdOp::kGather && form->needed[id]) {
      ++(value.rare ? rare : common);
    }
  }
  EXPECT_EQ(common, 1);
  EXPECT_EQ(rare, 1);
}

// Ways through a mask double with each step; all of them at 2^60 would never end.
TEST(Lanes, MasksOfManyWaysTakeNoTime) {
  SimdValues values;
  SimdId mask = values.leaf(SimdOp::kLength);
  for (std::uint32_t n = 0; n < 60; ++n) {
    const SimdId one = values.binary(SimdOp::kAnd, mask, values.leaf(SimdOp::kShared, 2 * n));
    const SimdId other = values.binary(SimdOp::kAnd, mask, values.leaf(SimdOp::kShared, 2 * n + 1));
    mask = values.binary(SimdOp::kOr, one, other);
  }
  const SimdId address = values.leaf(SimdOp::kCaptured);
  const SimdId bytes = values.gather(address, 4, 2, mask);
  EXPECT_EQ(values.values()[bytes].op, SimdOp::kGather);  // Nothing is known of its mask.
  EXPECT_EQ(values.values()[bytes].width, 2);
  EXPECT_FALSE(values.ends_early(mask));
}

TEST(Lanes, PacketsOfEveryLengthAtTheEndOfMemory) {
  const std::uint64_t seed = random::seed_or(777);
  SCOPED_TRACE(seed);
  random::Choices choices(seed);
  const GuardedPages pages;
  for (const std::string& expression : cbpf::short_expressions()) {
    SCOPED_TRACE(expression);
    const auto both = vm::BothMachines::load(translated(expression));
    ASSERT_TRUE(both.has_value()) << to_string(both.error());
    for (int round = 0; round < 4; ++round) {
      // The packets of a batch stand one behind the other; the last ends where memory does.
      const std::size_t count = 8 + static_cast<std::size_t>(choices.below(12));
      std::vector<ebpf::UserPacket> batch;
      std::uint8_t* at = pages.end();
      for (std::size_t i = 0; i < count; ++i) {
        const random::RandomPacket packet = random::random_packet(choices, {});
        const std::size_t captured = std::min<std::size_t>(packet.bytes.size(), choices.below(100));
        at -= captured;
        if (captured != 0) {
          std::memcpy(at, packet.bytes.data(), captured);
        }
        batch.push_back({.data = at,
                         .captured = static_cast<std::uint32_t>(captured),
                         .length = packet.wire_length});
      }
      std::vector<std::uint32_t> verdicts(batch.size());
      ASSERT_TRUE(both->run_packets(batch, verdicts).has_value());
      if (testing::Test::HasFailure()) {
        return;
      }
    }
  }
}

// Each packet of a group may be the one that ends where memory does; the others stand elsewhere.
TEST(Lanes, EveryCutInEveryPlaceAtTheEndOfMemory) {
  const std::uint64_t seed = random::seed_or(778);
  SCOPED_TRACE(seed);
  random::Choices choices(seed);
  const GuardedPages pages;
  for (const std::string& expression : cbpf::short_expressions()) {
    SCOPED_TRACE(expression);
    const auto both = vm::BothMachines::load(translated(expression));
    ASSERT_TRUE(both.has_value()) << to_string(both.error());
    const random::RandomPacket whole = random::random_packet(choices, {});
    for (std::size_t cut = 0; cut <= std::min<std::size_t>(whole.bytes.size(), 96); ++cut) {
      if (cut != 0) {
        std::memcpy(pages.end() - cut, whole.bytes.data(), cut);
      }
      const std::size_t count = kLanes + cut % kLanes;
      std::vector<ebpf::UserPacket> batch;
      for (std::size_t i = 0; i < count; ++i) {
        const bool is_cut = cut % 3 == 0 || i % kLanes == cut % kLanes;
        const std::size_t captured = is_cut ? cut : whole.bytes.size();
        batch.push_back({.data = is_cut ? pages.end() - cut : whole.bytes.data(),
                         .captured = static_cast<std::uint32_t>(captured),
                         .length = static_cast<std::uint32_t>(captured + i * 60)});
      }
      std::vector<std::uint32_t> verdicts(batch.size());
      ASSERT_TRUE(both->run_packets(batch, verdicts).has_value());
      if (testing::Test::HasFailure()) {
        return;
      }
    }
  }
}

// Many batches, so that both codes have their turns, and the tails that fill no group.
TEST(Lanes, TheSameWhileBeingTimed) {
  random::Choices choices(5);
  std::vector<random::RandomPacket> packets;
  std::vector<ebpf::UserPacket> batch;
  constexpr int kPackets = 5003;
  packets.reserve(kPackets);
  batch.reserve(kPackets);
  for (int i = 0; i < kPackets; ++i) {
    packets.push_back(random::random_packet(choices, {}));
  }
  for (const random::RandomPacket& packet : packets) {
    batch.push_back({.data = packet.bytes.data(),
                     .captured = static_cast<std::uint32_t>(packet.bytes.size()),
                     .length = packet.wire_length});
  }
  const ebpf::Program program = translated("tcp port 80 or udp port 53");
  std::vector<std::uint32_t> wanted(batch.size());
  const auto compile = [&program](SimdUse use) {
    return NativeProgram::compile(program, {}, {.runs_on = RunsOn::kPackets, .lanes = use}).value();
  };
  ASSERT_TRUE(compile(SimdUse::kNever).run_packets(batch, wanted).has_value());
  const NativeProgram measured = compile(SimdUse::kMeasured);
  for (int round = 0; round < 100; ++round) {
    std::vector<std::uint32_t> verdicts(batch.size(), 7);
    ASSERT_TRUE(measured.run_packets(batch, verdicts).has_value());
    ASSERT_EQ(verdicts, wanted) << round;
  }
}

}  // namespace
}  // namespace weir::jit
