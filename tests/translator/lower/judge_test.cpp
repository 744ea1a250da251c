// Random filters and packets: lowered programs in the extended interpreter against the classic one.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "cbpf/interpret.h"
#include "cbpf/validate.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"
#include "translator/ebpf/check.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ir/build/build.h"
#include "translator/ir/builder.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/text/text.h"
#include "translator/lower/to_extended.h"
#include "translator/vm/machine.h"

namespace weir::lower {
namespace {

constexpr int kEthernet = 1;

// A lowered program ready to run, and how to run it as its hook would.
class Engine {
 public:
  Engine(const ir::Function& function, TargetId id) : id_(id) {
    auto program = to_extended(function, target(id));
    if (!program) {
      error_ = to_string(program.error());
      return;
    }
    if (const Status checked = ebpf::check(*program); !checked) {
      error_ = to_string(checked.error());
      return;
    }
    text_ = ebpf::disassemble(program->instructions);
    auto machine =
        vm::Machine::load(*program, {}, {.legacy_packet_access = id == TargetId::kSocket});
    if (!machine) {
      error_ = to_string(machine.error());
      return;
    }
    machine_.emplace_back(std::move(*machine));
  }

  const std::string& error() const { return error_; }
  const std::string& text() const { return text_; }

  Result<std::uint32_t> run(const cbpf::Packet& packet) const {
    if (id_ == TargetId::kUser) {
      ebpf::UserContext context{
          .data = reinterpret_cast<std::uint64_t>(packet.captured.data()),
          .data_end =
              reinterpret_cast<std::uint64_t>(packet.captured.data()) + packet.captured.size(),
          .length = packet.wire_length};
      for (std::uint32_t number = 0; number < 64; number += 4) {
        context.ancillary[number / 4] =
            packet.ancillary->get(static_cast<cbpf::Extension>(number)).value_or(0);
      }
      return machine_[0].run_packet(context);
    }
    std::array<std::uint32_t, 48> sk_buff{};  // struct __sk_buff; `len` is its first word.
    sk_buff[0] = packet.wire_length;
    const vm::Region region{reinterpret_cast<std::uint64_t>(sk_buff.data()), sizeof(sk_buff),
                            false};
    const auto value =
        machine_[0].run({.r1 = region.address, .regions = {&region, 1}, .packet = packet.captured});
    if (!value) {
      return tl::make_unexpected(value.error());
    }
    return static_cast<std::uint32_t>(*value);
  }

 private:
  TargetId id_;
  std::string error_;
  std::string text_;
  std::vector<vm::Machine> machine_;  // One, or none after an error.
};

struct Counts {
  std::size_t pairs = 0;
  std::size_t accepted = 0;
  std::size_t spilling = 0;  // Programs that use the stack.
};

void judge(const ir::Function& function, const std::string& what, random::Choices& choices,
           int packets, Counts& counts) {
  for (const TargetId id : {TargetId::kUser, TargetId::kSocket}) {
    const Engine engine(function, id);
    ASSERT_EQ(engine.error(), "") << what;
    counts.spilling += engine.text().find("(r10 - ") != std::string::npos ? 1 : 0;
    for (int i = 0; i < packets; ++i) {
      const auto packet =
          random::random_packet(choices, {.truncate = id == TargetId::kUser, .ancillary = false});
      const auto got = engine.run(packet.view());
      const std::uint32_t wanted = ir::evaluate(function, packet.view());
      ASSERT_TRUE(got) << to_string(got.error()) << "\n" << what << engine.text();
      ASSERT_EQ(*got, wanted) << what << "at " << target(id).name << "\non " << to_hex(packet.bytes)
                              << "\n"
                              << ir::print(function) << engine.text();
      ++counts.pairs;
      counts.accepted += wanted != 0 ? 1 : 0;
    }
  }
}

void judge_random_programs(std::uint64_t seed, int programs, std::uint32_t max_instructions,
                           Counts& counts) {
  random::Choices choices(seed);
  for (int i = 0; i < programs; ++i) {
    const auto dialect = choices.chance(50) ? cbpf::Dialect::kLinux : cbpf::Dialect::kLibpcap;
    const auto program =
        random::random_program(choices, dialect, {.max_instructions = max_instructions});
    const auto validated = cbpf::validate(program, dialect);
    ASSERT_TRUE(validated);
    const auto function = ir::build(*validated, kEthernet);
    ASSERT_TRUE(function) << to_string(function.error());
    judge(*function, random::to_text(program), choices, 20, counts);
    if (testing::Test::HasFatalFailure()) {
      return;
    }
  }
}

TEST(LowerJudge, RandomProgramsGiveTheEvaluatorsNumber) {
  const std::uint64_t seed = random::seed_or(1);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  Counts counts;
  judge_random_programs(seed, 2000, 40, counts);
  EXPECT_GT(counts.accepted, counts.pairs / 20);
}

TEST(LowerJudge, LongRandomProgramsGiveTheEvaluatorsNumber) {
  const std::uint64_t seed = random::seed_or(2);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  Counts counts;
  judge_random_programs(seed, 60, 1000, counts);
  EXPECT_GT(counts.accepted, counts.pairs / 50);
}

// A chain of diamonds through which up to 30 values go as parameters, shuffled, doubled, replaced
// by constants and new results on every edge: more than there are registers, and edges on which
// moves form cycles.
class RandomShuffle {
 public:
  explicit RandomShuffle(random::Choices& choices) : choices_(choices), builder_(function_) {}

  ir::Function make() && {
    ir::BlockId block = builder_.add_block();
    builder_.need(block, ir::kNoValue, 32);
    const std::uint32_t values = 2 + choices_.below(29);
    for (std::uint32_t i = 0; i < values; ++i) {
      live_.push_back(load(block));
    }
    for (std::uint32_t i = 1 + choices_.below(4); i > 0; --i) {
      block = diamond(block);
    }
    ir::ValueId sum = live_[0];
    for (std::size_t i = 1; i < live_.size(); ++i) {
      const auto rotated = builder_.arithmetic(block, ir::Op::kMul, sum, builder_.constant(31));
      sum = builder_.arithmetic(block, ir::Op::kXor, rotated, live_[i]);
    }
    builder_.end_return(block, sum);
    return std::move(function_);
  }

 private:
  ir::ValueId load(ir::BlockId block) {
    return builder_.load(block, choices_.pick<std::uint8_t>({1, 2, 4}), ir::kNoValue,
                         choices_.below(28));
  }
  ir::ValueId any() { return live_[choices_.below(static_cast<std::uint32_t>(live_.size()))]; }

  ir::ValueId computed(ir::BlockId block) {
    const auto op = choices_.pick({ir::Op::kAdd, ir::Op::kSub, ir::Op::kXor, ir::Op::kShl,
                                   ir::Op::kShr, ir::Op::kShlModulo, ir::Op::kOr, ir::Op::kMul});
    return builder_.arithmetic(block, op, any(), any());
  }

  ir::Edge edge_to(ir::BlockId to, ir::BlockId from) {
    ir::Edge edge{.to = to};
    for (std::size_t i = 0; i < live_.size(); ++i) {
      edge.arguments.push_back(choices_.chance(60)   ? live_[i]
                               : choices_.chance(70) ? any()
                               : choices_.chance(50) ? builder_.constant(choices_.any())
                                                     : computed(from));
    }
    return edge;
  }

  // Straight to the end on one side or over a block in between on the other.
  ir::BlockId diamond(ir::BlockId block) {
    const auto compare = choices_.pick({ir::Compare::kEq, ir::Compare::kSet, ir::Compare::kGt,
                                        ir::Compare::kClear, ir::Compare::kLe});
    const auto left = any();
    const auto right = choices_.chance(50) ? any() : builder_.constant(choices_.below(200));
    const ir::BlockId middle = builder_.add_block();
    const ir::BlockId join = builder_.add_block();
    ir::Edge over = edge_to(join, block);
    builder_.end_branch(block, compare, left, right, {.to = middle}, std::move(over));
    const auto kept = live_;
    if (choices_.chance(50)) {
      live_[choices_.below(static_cast<std::uint32_t>(live_.size()))] = load(middle);
    }
    builder_.end_jump(middle, edge_to(join, middle));
    live_ = kept;
    for (ir::ValueId& value : live_) {
      value = builder_.add_parameter(join);
    }
    return join;
  }

  random::Choices& choices_;
  ir::Function function_;
  ir::FunctionBuilder builder_;
  std::vector<ir::ValueId> live_;
};

TEST(LowerJudge, ManyValuesAtOnceKeepTheirNumbers) {
  const std::uint64_t seed = random::seed_or(4);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  Counts counts;
  for (int i = 0; i < 400; ++i) {
    judge(RandomShuffle(choices).make(), "", choices, 5, counts);
    if (HasFatalFailure()) {
      return;
    }
  }
  EXPECT_GT(counts.spilling, 400U);
  EXPECT_LT(counts.spilling, 800U);
}

// Packets of the user target may be longer than a load's displacement or the verifier's bounds.
TEST(LowerJudge, LongPacketsAreReadWhole) {
  const auto function = ir::parse(R"(
function EN10MB {
b0:
  need 80004
  v0 = load 4 [80000]
  v1 = load 4 [0]
  need v1 + 40002
  v2 = load 2 [v1 + 40000]
  v3 = mul v0, 3
  v4 = add v3, v2
  return v4
}
)");
  ASSERT_TRUE(function) << to_string(function.error());
  const Engine engine(*function, TargetId::kUser);
  ASSERT_EQ(engine.error(), "");
  std::vector<std::uint8_t> bytes(100000);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(i * 7 + (i >> 8));
  }
  const cbpf::Ancillary none;
  const cbpf::Packet packet{.captured = bytes, .wire_length = 100000, .ancillary = &none};
  // The last offset that is there, the first that is not, and what wraps in 32 bits.
  for (const std::uint32_t base : {0U, 59998U, 59999U, 0xffffffffU, 0xffff63c0U, 0xffff63bfU}) {
    for (std::size_t i = 0; i < 4; ++i) {
      bytes[i] = static_cast<std::uint8_t>(base >> (24 - 8 * i));
    }
    const auto got = engine.run(packet);
    ASSERT_TRUE(got) << to_string(got.error());
    EXPECT_EQ(*got, ir::evaluate(*function, packet)) << base;
    EXPECT_EQ(*got != 0, base <= 59998) << base;
  }
}

// A random switch on the first byte or word: few and many cases, single numbers and ranges.
ir::Function random_switch(random::Choices& choices) {
  ir::Function function;
  ir::FunctionBuilder builder(function);
  const auto entry = builder.add_block();
  builder.need(entry, ir::kNoValue, 4);
  const std::uint8_t width = choices.pick<std::uint8_t>({1, 1, 2, 4});
  ir::Terminator choice{.end = ir::End::kSwitch, .a = builder.load(entry, width, ir::kNoValue, 0)};
  const std::uint32_t edges = 1 + choices.below(4);
  const auto merge = builder.add_block();
  const auto parameter = builder.add_parameter(merge);
  for (std::uint32_t i = 0; i < edges; ++i) {
    choice.edges.push_back({.to = merge, .arguments = {builder.constant(i + 1)}});
  }
  std::uint64_t next = choices.chance(20) ? 0 : choices.below(20);
  for (std::uint32_t i = choices.below(40); i > 0 && next < 0xffffffff; --i) {
    const std::uint64_t high = choices.chance(60) ? next : next + choices.below(30);
    choice.cases.push_back(
        {static_cast<std::uint32_t>(next), static_cast<std::uint32_t>(high), choices.below(edges)});
    next = high + 1 + (choices.chance(30) ? 0 : choices.below(30));
  }
  if (choices.chance(20) && (choice.cases.empty() || choice.cases.back().high != 0xffffffff)) {
    choice.cases.push_back({static_cast<std::uint32_t>(next), 0xffffffff, choices.below(edges)});
  }
  function.blocks[entry].terminator = std::move(choice);
  builder.end_return(merge, parameter);
  return function;
}

TEST(LowerJudge, SwitchesTakeTheRightEdge) {
  const std::uint64_t seed = random::seed_or(3);
  SCOPED_TRACE("WEIR_SEED=" + std::to_string(seed));
  random::Choices choices(seed);
  for (int i = 0; i < 300; ++i) {
    const ir::Function function = random_switch(choices);
    const Engine engine(function, TargetId::kUser);
    ASSERT_EQ(engine.error(), "") << ir::print(function);
    const ir::Terminator& end = function.blocks[0].terminator;
    std::vector<std::uint32_t> numbers = {0, 1, 0xff, 0xffff, 0xffffffff};
    for (const ir::Case& each : end.cases) {
      for (const std::uint32_t number : {each.low - 1, each.low, each.high, each.high + 1}) {
        numbers.push_back(number);
      }
    }
    const std::uint8_t width = function.values[end.a].width;
    const cbpf::Ancillary none;
    for (const std::uint32_t number : numbers) {
      std::array<std::uint8_t, 4> bytes{};
      for (std::uint8_t b = 0; b < width; ++b) {
        bytes[b] = static_cast<std::uint8_t>(number >> 8 * (width - 1 - b));
      }
      const cbpf::Packet packet{.captured = bytes, .wire_length = 4, .ancillary = &none};
      const auto got = engine.run(packet);
      ASSERT_TRUE(got) << to_string(got.error());
      ASSERT_EQ(*got, ir::evaluate(function, packet)) << number << "\n"
                                                      << ir::print(function) << engine.text();
    }
  }
}

}  // namespace
}  // namespace weir::lower
