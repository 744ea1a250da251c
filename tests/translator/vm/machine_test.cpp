// Loading and its refusals, faults of each kind, budgets, packets and batches.
#include "translator/vm/machine.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/translator/vm/programs.h"

namespace weir::vm {
namespace {

using namespace weir::ebpf;

constexpr Reg kR0 = Reg::kR0;
constexpr Reg kR1 = Reg::kR1;
constexpr Reg kR2 = Reg::kR2;
constexpr Reg kR3 = Reg::kR3;
constexpr Reg kR10 = Reg::kR10;

TEST(Machine, RefusesWhatItCannotRunSafely) {
  const auto refusal = [](std::vector<Instruction> instructions) {
    return fault(std::move(instructions));
  };
  EXPECT_EQ(refusal({}), "load: the program is empty");
  EXPECT_EQ(refusal({Exit{}, move(kR0, 0)}), "load: instruction 1: the program runs off its end");
  EXPECT_EQ(refusal({Jump{.op = JumpOp::kEq, .offset = -1}}),
            "load: instruction 0: the program runs off its end");
  EXPECT_EQ(refusal({Jump{.offset = 1}, Exit{}}),
            "load: instruction 0: the jump leads to no instruction");
  EXPECT_EQ(refusal({Jump{.offset = -2}, Exit{}}),
            "load: instruction 0: the jump leads to no instruction");
  EXPECT_EQ(refusal({Jump{.offset = 1}, constant(kR0, 0), Exit{}}),
            "load: instruction 0: the jump leads to no instruction");
  EXPECT_EQ(refusal({Call{.kind = CallKind::kLocal, .imm = 1}, Exit{}}),
            "load: instruction 0: the call leads to no instruction");
  EXPECT_EQ(refusal({Call{.imm = 5}, Exit{}}), "load: instruction 0: no helper has number 5");
  EXPECT_EQ(refusal({Call{.kind = CallKind::kKfunc, .imm = 5}, Exit{}}),
            "load: instruction 0: the kernel's functions are not in reach of user space");
  EXPECT_EQ(refusal({LoadPacket{}, Exit{}}),
            "load: instruction 0: a legacy packet load, and the machine has no packet for it");
  EXPECT_EQ(refusal({Endian{.bits = 24}, Exit{}}),
            "load: instruction 0: a byte swap is of 16, 32 or 64 bits, not 24");
  EXPECT_EQ(refusal({Atomic{.width = Width::kB}, Exit{}}),
            "load: instruction 0: an atomic operation is of 4 or 8 bytes");
  EXPECT_EQ(refusal({move(static_cast<Reg>(11), 0), Exit{}}),
            "load: instruction 0: no register r11");
  EXPECT_EQ(refusal({move(kR0, static_cast<Reg>(15)), Exit{}}),
            "load: instruction 0: no register r15");
}

TEST(Machine, RefusesWritesToTheFramePointer) {
  const Instruction writers[] = {move(kR10, 0),
                                 Endian{.dst = kR10},
                                 Load{.dst = kR10},
                                 constant(kR10, 0),
                                 Atomic{.op = AtomicOp::kAdd, .fetch = true, .src = kR10},
                                 Atomic{.op = AtomicOp::kExchange, .src = kR10}};
  for (const Instruction& writer : writers) {
    EXPECT_EQ(fault({writer, Exit{}}), "load: instruction 0: r10 is read-only");
  }
}

TEST(Machine, RefusesAddressesOfTheKernelsThings) {
  const auto refusal = [](Imm64Kind kind, std::vector<Map> maps = {}) {
    Program program = program_of({LoadImm64{.kind = kind, .dst = kR1}, Exit{}});
    program.maps = std::move(maps);
    return fault(program);
  };
  const std::string kernel_map =
      "load: instruction 0: the kernel's maps are not in reach of user space";
  EXPECT_EQ(refusal(Imm64Kind::kMapFd), kernel_map);
  EXPECT_EQ(refusal(Imm64Kind::kMapValueFd), kernel_map);
  EXPECT_EQ(refusal(Imm64Kind::kMapIndex), kernel_map);
  EXPECT_EQ(refusal(Imm64Kind::kVariable),
            "load: instruction 0: the kernel's variables are not in reach of user space");
  EXPECT_EQ(refusal(Imm64Kind::kCode),
            "load: instruction 0: the address of code is for the kernel's helpers");
  EXPECT_EQ(refusal(Imm64Kind::kMapValueIndex), "load: instruction 0: no map has index 0");
  EXPECT_EQ(refusal(Imm64Kind::kMapValueIndex,
                    {{.name = "counts", .kind = MapKind::kPerCpuArray, .value_size = 8}}),
            "load: instruction 0: map counts is not read-only data, all there is in user space");
}

TEST(Machine, RunsWhatTheStandardDefinesAndAKernelRefuses) {
  EXPECT_EQ(result({move(kR0, 7), Alu{.op = AluOp::kDiv, .dst = kR0, .src = 0}, Exit{}}), 0U);
  EXPECT_EQ(result({move(kR0, 7), Exit{}, move(kR0, 8), Exit{}}), 7U);
}

// Every byte around a region of 8 bytes, with every width: inside it loads, outside it says so.
TEST(Machine, ChecksEveryLoadAndStore) {
  std::array<std::uint8_t, 24> bytes{};
  const Region region = writable(std::span(bytes).subspan(8, 8));
  for (const Width width : {Width::kB, Width::kH, Width::kW, Width::kDw}) {
    for (std::int16_t offset = -8; offset < 16; ++offset) {
      const bool inside = offset >= 0 && offset + static_cast<int>(width) <= 8;
      const Instruction accesses[] = {
          Load{.width = width, .dst = kR0, .src = kR1, .offset = offset},
          Load{.width = width, .sign_extend = true, .dst = kR0, .src = kR1, .offset = offset},
          Store{.width = width, .dst = kR1, .offset = offset, .src = 1},
          Store{.width = width, .dst = kR1, .offset = offset, .src = kR2}};
      for (const Instruction& access : accesses) {
        const BothMachines loaded = machine(program_of({access, Exit{}}));
        const auto r0 = loaded.run({.r1 = region.address, .regions = std::span(&region, 1)});
        ASSERT_EQ(r0.has_value(), inside) << static_cast<int>(width) << " at " << offset;
        if (!inside) {
          EXPECT_EQ(r0.error().place.instruction, 0U);
          EXPECT_NE(r0.error().message.find("is outside every region"), std::string::npos);
        }
      }
    }
  }
}

TEST(Machine, FaultsSayWhatWasDoneWhereAndWhy) {
  EXPECT_EQ(fault({move(kR1, 16), Load{.width = Width::kW, .dst = kR0, .src = kR1}, Exit{}}),
            "instruction 1: load of 4 bytes at 0x10 is outside every region");
  EXPECT_EQ(fault({Store{.width = Width::kB, .dst = kR2, .offset = -1, .src = 0}, Exit{}}),
            "instruction 0: store of 1 byte at 0xffffffffffffffff is outside every region");
  EXPECT_EQ(fault({Atomic{.op = AtomicOp::kAdd, .dst = kR2}, Exit{}}),
            "instruction 0: atomic operation of 8 bytes at 0x0 is outside every region");
  // An access may not wrap around the end of the address space.
  EXPECT_EQ(fault({move(kR1, -4), Load{.dst = kR0, .src = kR1}, Exit{}}),
            "instruction 1: load of 8 bytes at 0xfffffffffffffffc is outside every region");
}

TEST(Machine, StacksEndBothWays) {
  EXPECT_EQ(fault({Load{.dst = kR0, .src = kR10, .offset = -512}, Exit{}}), "none");
  const auto outside = [](Instruction access) {
    return fault({std::move(access), Exit{}}).find("outside every region") != std::string::npos;
  };
  EXPECT_TRUE(outside(Load{.dst = kR0, .src = kR10, .offset = -513}));
  EXPECT_TRUE(outside(Load{.dst = kR0, .src = kR10, .offset = -520}));
  EXPECT_TRUE(outside(Load{.dst = kR0, .src = kR10, .offset = -7}));
  EXPECT_TRUE(outside(Store{.dst = kR10, .offset = 0, .src = 0}));
  // A callee's frame is gone when it has returned.
  EXPECT_NE(fault({Call{.kind = CallKind::kLocal, .imm = 2}, Load{.dst = kR0, .src = kR0}, Exit{},
                   move(kR0, kR10), Alu{.op = AluOp::kSub, .dst = kR0, .src = 8}, Exit{}})
                .find("instruction 1: load of 8 bytes"),
            std::string::npos);
}

TEST(Machine, ReadOnlyMemoryStaysAsItIs) {
  const std::array<std::uint8_t, 8> bytes = {1};
  const Region region = readable(bytes);
  const Instruction writers[] = {Store{.width = Width::kB, .dst = kR1, .src = 0},
                                 Atomic{.op = AtomicOp::kAdd, .width = Width::kW, .dst = kR1}};
  for (const Instruction& writer : writers) {
    const auto r0 = machine(program_of({writer, Exit{}}))
                        .run({.r1 = region.address, .regions = std::span(&region, 1)});
    ASSERT_FALSE(r0.has_value());
    EXPECT_NE(r0.error().message.find("is in a read-only region"), std::string::npos);
  }
  Program data = program_of({LoadImm64{.kind = Imm64Kind::kMapValueIndex, .dst = kR1},
                             Store{.width = Width::kB, .dst = kR1, .src = 0}, Exit{}});
  data.maps = {{.name = "a", .value_size = 1, .data = {9}}};
  EXPECT_NE(fault(data).find("is in a read-only region"), std::string::npos);
}

TEST(Machine, AtomicOperationsMustBeAligned) {
  alignas(8) std::array<std::uint8_t, 16> bytes{};
  EXPECT_NE(
      fault({Atomic{.op = AtomicOp::kAdd, .width = Width::kW, .dst = kR1, .offset = 2}, Exit{}},
            bytes)
          .find("is not aligned"),
      std::string::npos);
}

TEST(Machine, BudgetsEndEndlessLoops) {
  const std::vector<Instruction> endless = {Jump{.offset = -1}, Exit{}};
  EXPECT_EQ(fault(endless, {}, {.budget = 1000}),
            "instruction 0: the budget of instructions is used up");
  // A hundred turns of three instructions, 99 of them back by three slots.
  const std::vector<Instruction> loop = {
      move(kR1, 100), Alu{.op = AluOp::kAdd, .dst = kR0, .src = kR1},
      Alu{.op = AluOp::kSub, .dst = kR1, .src = 1},
      Jump{.op = JumpOp::kNe, .dst = kR1, .src = 0, .offset = -3}, Exit{}};
  EXPECT_EQ(fault(loop, {}, {.budget = 297}), "none");
  EXPECT_EQ(fault(loop, {}, {.budget = 296}),
            "instruction 3: the budget of instructions is used up");
  // Calls that double at each level cannot run for ever either.
  const std::vector<Instruction> calls = {Call{.kind = CallKind::kLocal, .imm = 1}, Exit{},
                                          Call{.kind = CallKind::kLocal, .imm = 1}, Exit{}, Exit{}};
  EXPECT_EQ(fault(calls, {}, {.budget = 10}), "none");
  EXPECT_EQ(fault(calls, {}, {.budget = 9}),
            "instruction 2: the budget of instructions is used up");
}

// Returns the byte at 12 plus the wire length; 0 for shorter packets.
Program packet_program() {
  return program_of({Load{.width = Width::kDw, .dst = kR2, .src = kR1, .offset = 0},
                     Load{.width = Width::kDw, .dst = kR3, .src = kR1, .offset = 8},
                     Load{.width = Width::kW, .dst = Reg::kR4, .src = kR1, .offset = 16},
                     move(kR0, kR2), Alu{.op = AluOp::kAdd, .dst = kR0, .src = 13},
                     Jump{.op = JumpOp::kGt, .dst = kR0, .src = kR3, .offset = 3},
                     Load{.width = Width::kB, .dst = kR0, .src = kR2, .offset = 12},
                     Alu{.op = AluOp::kAdd, .dst = kR0, .src = Reg::kR4}, Exit{}, move(kR0, 0),
                     Exit{}});
}

UserContext context_of(Bytes packet, std::uint32_t length) {
  const Region region = readable(packet);
  return {.data = region.address, .data_end = region.address + region.size, .length = length};
}

TEST(Machine, RunsUserProgramsOnPackets) {
  const BothMachines loaded = machine(packet_program());
  std::vector<std::uint8_t> packet(14);
  packet[12] = 8;
  EXPECT_EQ(loaded.run_packet(context_of(packet, 1000)).value_or(1), 1008U);
  packet.resize(12);
  EXPECT_EQ(loaded.run_packet(context_of(packet, 1000)).value_or(1), 0U);
  EXPECT_EQ(loaded.run_packet({}).value_or(1), 0U);
}

TEST(Machine, RunsBatches) {
  const BothMachines loaded = machine(packet_program());
  std::vector<std::vector<std::uint8_t>> bytes;
  std::vector<UserPacket> packets;
  for (std::uint32_t i = 0; i < 50; ++i) {
    bytes.emplace_back(i, static_cast<std::uint8_t>(i));
    packets.push_back({.data = bytes.back().data(), .captured = i, .length = 1000 + i});
  }
  std::vector<std::uint32_t> verdicts(packets.size(), 7);
  ASSERT_TRUE(loaded.run_packets(packets, verdicts).has_value());
  for (std::uint32_t i = 0; i < 50; ++i) {
    EXPECT_EQ(verdicts[i], i < 13 ? 0 : 1000 + i + i) << i;
  }
  EXPECT_TRUE(loaded.run_packets({}, {}).has_value());
  const Status few = loaded.run_packets(packets, std::span(verdicts).first(3));
  ASSERT_FALSE(few.has_value());
  EXPECT_EQ(few.error().code, ErrorCode::kUsage);
}

// What one packet leaves in registers and on the stack is not seen by the next.
TEST(Machine, PacketsOfABatchDoNotSeeEachOther) {
  const BothMachines loaded = machine(program_of(
      {Load{.dst = kR0, .src = kR10, .offset = -8}, Alu{.op = AluOp::kAdd, .dst = kR0, .src = kR3},
       Store{.dst = kR10, .offset = -8, .src = 5}, move(kR3, 7), Exit{}}));
  const std::vector<UserPacket> packets(3);
  std::vector<std::uint32_t> verdicts(3, 1);
  ASSERT_TRUE(loaded.run_packets(packets, verdicts).has_value());
  EXPECT_EQ(verdicts, (std::vector<std::uint32_t>{0, 0, 0}));
}

TEST(Machine, BatchesGiveTheAncillaryValuesOfTheCaller) {
  const BothMachines loaded = machine(
      program_of({Load{.width = Width::kW, .dst = kR0, .src = kR1, .offset = 24 + 3 * 4}, Exit{}}));
  UserContext common;
  common.ancillary[3] = 77;
  std::vector<std::uint32_t> verdicts(2);
  ASSERT_TRUE(loaded.run_packets(std::vector<UserPacket>(2), verdicts, common).has_value());
  EXPECT_EQ(verdicts, (std::vector<std::uint32_t>{77, 77}));
}

TEST(Machine, FaultsOfABatchNameThePacket) {
  const BothMachines loaded =
      machine(program_of({Load{.dst = kR2, .src = kR1},
                          Load{.width = Width::kB, .dst = kR0, .src = kR2, .offset = 3}, Exit{}}));
  const std::array<std::uint8_t, 4> bytes = {1, 2, 3, 4};
  const UserPacket packets[] = {{.data = bytes.data(), .captured = 4},
                                {.data = bytes.data(), .captured = 3}};
  std::vector<std::uint32_t> verdicts(2);
  const Status status = loaded.run_packets(packets, verdicts);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().place.instruction, 1U);
  EXPECT_EQ(status.error().detail, "packet 1");
  EXPECT_EQ(verdicts[0], 4U);
}

TEST(Machine, PacketsAndContextsAreReadOnly) {
  const std::array<std::uint8_t, 4> bytes{};
  const BothMachines packet = machine(program_of(
      {Load{.dst = kR2, .src = kR1}, Store{.width = Width::kB, .dst = kR2, .src = 1}, Exit{}}));
  EXPECT_FALSE(packet.run_packet(context_of(bytes, 4)).has_value());
  const BothMachines context =
      machine(program_of({Store{.width = Width::kB, .dst = kR1, .src = 1}, Exit{}}));
  EXPECT_FALSE(context.run_packet(context_of(bytes, 4)).has_value());
}

}  // namespace
}  // namespace weir::vm
