// DPDK's answers are its own affair: these tests ask whether weir shows it the packets as they are,
// and whether it is timed only where it is right.

#include "tools/bench/dpdk.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cbpf/compile.h"
#include "tools/bench/filter_figures.h"

namespace weir::bench {
namespace {

class Dpdk : public testing::Test {
 protected:
  void SetUp() override {
    if (!dpdk_is_built()) {
      GTEST_SKIP() << "weir was built without DPDK";
    }
  }

  static Result<PeerProgram> compile(const std::string& expression) {
    auto program = cbpf::compile(expression, {.optimize = true});
    if (!program) {
      return tl::make_unexpected(program.error());
    }
    return PeerProgram{.ns = 0, .program = std::move(*program)};
  }

  static Result<Comparison> measure(const std::string& expression) {
    const auto filter = compile_filter(expression, {});
    if (!filter) {
      return tl::make_unexpected(filter.error());
    }
    CompareOptions options{
        .engines = {engine::EngineId::kClassicInterpreter, engine::EngineId::kExtendedInterpreter,
                    engine::EngineId::kExtendedJit},
        .rounds = 1};
    add_peers(*filter, cbpf::compile(expression, {}).map([](cbpf::Program plain) {
      return PeerProgram{.ns = 0, .program = std::move(plain)};
    }),
              compile(expression), options);
    return compare(*filter, generate_mix(7, 5000), options);
  }
};

TEST_F(Dpdk, IsTimedWhereItIsRight) {
  for (const char* expression : {"ip", "tcp port 80", "udp and net 10.0.0.0/8", "len > 100"}) {
    const auto comparison = measure(expression);
    ASSERT_TRUE(comparison) << to_string(comparison.error());
    for (const char* name : {"dpdk-interpreter-O", "dpdk-jit-O"}) {
      const Row* row = comparison->row(name);
      ASSERT_NE(row, nullptr) << name;
      EXPECT_EQ(row->skipped, "") << expression << " " << name;
      EXPECT_FALSE(row->wrong);
      EXPECT_EQ(row->design, 2014);
      EXPECT_EQ(row->matched, comparison->row("classic-interpreter")->matched);
      EXPECT_GT(row->footprint.instructions, 0U);
      EXPECT_EQ(row->footprint.native_bytes > 0, std::string(name) == "dpdk-jit-O");
      EXPECT_GT(row->ns_per_packet.median, 0);
    }
  }
}

// DPDK 22.11 drops X in this load, and may crash after it. Where a later one has it right, it is
// timed as any other.
TEST_F(Dpdk, IsNotTimedWhereItIsWrong) {
  const auto comparison = measure("tcp[13] & 2 != 0");
  ASSERT_TRUE(comparison) << to_string(comparison.error());
  for (const char* name : {"dpdk-interpreter-O", "dpdk-jit-O"}) {
    const Row* row = comparison->row(name);
    ASSERT_NE(row, nullptr) << name;
    EXPECT_EQ(row->skipped.empty(), !row->wrong) << row->skipped;
    EXPECT_EQ(row->ns_per_packet.median > 0, !row->wrong);
    if (row->wrong) {
      EXPECT_GT(row->wrong->packets, 0U);
      EXPECT_FALSE(row->wrong->inherited);
      EXPECT_FALSE(row->wrong->bytes.empty());
    }
  }
}

TEST_F(Dpdk, ReadsCutPacketsAsCut) {
  const auto program = compile("tcp port 80");
  ASSERT_TRUE(program);
  const auto reader = cbpf::validate(cbpf::compile("tcp port 80", {}).value());
  ASSERT_TRUE(reader);
  const auto judge = engine::prepare(engine::EngineId::kClassicInterpreter, {.program = *reader});
  ASSERT_TRUE(judge);
  const Traffic traffic = generate_mix(7, 300);
  std::vector<cbpf::Packet> cut;
  for (const cbpf::Packet& packet : traffic.packets) {
    for (const std::uint32_t bytes : {0U, 13U, 14U, 23U, 30U, 37U, 38U, 54U}) {
      cut.push_back(packet);
      cut.back().captured =
          packet.captured.first(std::min<std::size_t>(bytes, packet.captured.size()));
    }
  }
  std::vector<std::uint32_t> right(cut.size());
  ASSERT_TRUE((*judge)->run(cut, right));
  EXPECT_GT(std::count_if(right.begin(), right.end(), [](auto r) { return r != 0; }), 0);
  for (const bool native : {false, true}) {
    const auto machine = prepare_dpdk(program->program, native, 20);
    ASSERT_TRUE(machine) << to_string(machine.error());
    const auto wrong = try_machine(**machine, right, cut, 20);
    ASSERT_TRUE(wrong) << to_string(wrong.error());
    EXPECT_FALSE(*wrong) << to_string(**wrong);
  }
}

TEST_F(Dpdk, WhatItRefusesIsSaid) {
  // The metadata of a packet: DPDK has no such extension.
  const cbpf::Program program{{{cbpf::kLd | cbpf::kW | cbpf::kAbs, 0, 0, 0xfffff000},
                               {cbpf::kRet | cbpf::kA, 0, 0, 0},
                               {0xffff, 0, 0, 0}}};
  const auto machine = prepare_dpdk(program, false, 20);
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(machine.error().message.find("DPDK"), std::string::npos) << machine.error().message;
}

}  // namespace
}  // namespace weir::bench
