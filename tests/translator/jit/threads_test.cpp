// Native code run by several threads at once: programs are shared, and what its atomic operations
// do to the same memory is not lost.
#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

#include "translator/jit/jit.h"

namespace weir::jit {
namespace {

using namespace weir::ebpf;

constexpr int kThreads = 4;
constexpr std::int32_t kTimes = 20'000;

// r1 points to eight numbers of 8 bytes.
Atomic atomic(AtomicOp op, bool fetch, Width width, std::int16_t offset) {
  return {
      .op = op, .fetch = fetch, .width = width, .dst = Reg::kR1, .offset = offset, .src = Reg::kR2};
}
Alu move(Reg dst, Operand src) { return {.op = AluOp::kMov, .dst = dst, .src = src}; }

// kTimes times: numbers 0 to 2 grow by one in three ways; 3 by comparing and exchanging until it
// worked; the lowest bit of 4 and 5 is turned.
Program counting() {
  return {.instructions = {
              move(Reg::kR3, kTimes),
              move(Reg::kR2, 1),
              atomic(AtomicOp::kAdd, false, Width::kDw, 0),
              atomic(AtomicOp::kAdd, false, Width::kW, 8),
              atomic(AtomicOp::kXor, false, Width::kDw, 32),
              atomic(AtomicOp::kAdd, true, Width::kDw, 16),
              move(Reg::kR2, 1),
              atomic(AtomicOp::kXor, true, Width::kW, 40),
              Load{.dst = Reg::kR0, .src = Reg::kR1, .offset = 24},
              move(Reg::kR2, Reg::kR0),
              move(Reg::kR4, Reg::kR0),
              Alu{.op = AluOp::kAdd, .dst = Reg::kR2, .src = 1},
              atomic(AtomicOp::kCompareExchange, true, Width::kDw, 24),
              Jump{.op = JumpOp::kNe, .dst = Reg::kR0, .src = Reg::kR4, .offset = -6},
              Alu{.op = AluOp::kSub, .dst = Reg::kR3, .src = 1},
              Jump{.op = JumpOp::kNe, .dst = Reg::kR3, .src = 0, .offset = -15},
              Exit{},
          }};
}

TEST(Threads, AtomicOperationsLoseNothing) {
  const auto program = NativeProgram::compile(counting());
  ASSERT_TRUE(program.has_value()) << to_string(program.error());
  std::array<std::uint64_t, 8> numbers{};
  const std::array<Region, 1> regions = {
      Region{.address = reinterpret_cast<std::uint64_t>(numbers.data()),
             .size = sizeof(numbers),
             .writable = true}};
  std::array<bool, kThreads> fine{};
  std::vector<std::thread> threads;
  for (bool& one : fine) {
    threads.emplace_back(
        [&] { one = program->run({.r1 = regions[0].address, .regions = regions}).has_value(); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const bool one : fine) {
    EXPECT_TRUE(one);
  }
  constexpr auto kAll = static_cast<std::uint64_t>(kThreads) * kTimes;
  EXPECT_EQ(numbers, (std::array<std::uint64_t, 8>{kAll, kAll, kAll, kAll, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace weir::jit
