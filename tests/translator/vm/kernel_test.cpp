// Random programs in the machine and in the running kernel (BPF_PROG_TEST_RUN of a socket filter),
// and by hand what the generator does not make.
#include "tests/kernel/kernel.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <array>
#include <cstring>
#include <optional>

#include "cbpf/base/fd.h"
#include "tests/translator/vm/programs.h"
#include "tests/translator/vm/random_extended.h"
#include "translator/ebpf/disassemble.h"
#include "translator/ebpf/encode.h"

namespace weir::vm {
namespace {

using namespace weir::ebpf;

constexpr std::size_t kLinkHeader =
    14;  // A test run takes a frame; the filter sees what is behind.

// Loads a socket filter; not valid when the kernel refuses it, with its words in `log`.
Fd load_filter(const Program& program, std::string& log) {
  const std::vector<Slot> slots = encode(program.instructions);
  std::vector<bpf_insn> wire(slots.size());
  static_assert(sizeof(Slot) == sizeof(bpf_insn));
  std::memcpy(wire.data(), slots.data(), slots.size() * sizeof(Slot));
  log.assign(std::size_t{1} << 16, '\0');
  LIBBPF_OPTS(bpf_prog_load_opts, options, .log_level = 1,
              .log_size = static_cast<__u32>(log.size()), .log_buf = log.data());
  Fd fd(bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "weir_vm_test", "Dual BSD/GPL", wire.data(),
                      wire.size(), &options));
  log.resize(std::strlen(log.c_str()));
  return fd;
}

// The 32-bit result of a loaded filter on what follows the link header.
std::optional<std::uint32_t> run_filter(const Fd& fd, Bytes packet) {
  std::vector<std::uint8_t> frame(kLinkHeader);
  frame.insert(frame.end(), packet.begin(), packet.end());
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
              .data_size_in = static_cast<__u32>(frame.size()), .repeat = 1);
  if (bpf_prog_test_run_opts(fd.get(), &options) != 0) {
    return std::nullopt;
  }
  return options.retval;
}

// Whether the kernel has the instructions of version 4 (Linux 6.6).
bool has_version4() {
  std::string log;
  return load_filter(
             program_of({move(Reg::kR0, 1),
                         Alu{.op = AluOp::kMovSx8, .dst = Reg::kR0, .src = Reg::kR0}, Exit{}}),
             log)
      .valid();
}

void expect_the_same(const Program& program, Bytes packet, const std::string& about) {
  std::string log;
  const Fd fd = load_filter(program, log);
  ASSERT_TRUE(fd.valid()) << about << "\n" << disassemble(program.instructions) << log;
  const auto want = run_filter(fd, packet);
  ASSERT_TRUE(want.has_value()) << about;
  const auto got = machine(program, {}, {.legacy_packet_access = true}).run({.packet = packet});
  ASSERT_TRUE(got.has_value()) << to_string(got.error());
  ASSERT_EQ(static_cast<std::uint32_t>(*got), *want)
      << about << " packet " << weir::to_hex(packet) << "\n"
      << disassemble(program.instructions);
}

TEST(VmKernel, RandomProgramsGiveTheSameInBoth) {
  WEIR_NEEDS_KERNEL();
  const std::uint64_t seed = random::seed_or(618);
  random::Choices choices(seed);
  const bool version4 = has_version4();
  for (int i = 0; i < 2000; ++i) {
    const bool jumps = i % 2 == 0;
    const RandomOptions options{.version4 = version4, .jumps = jumps, .fetches = !jumps};
    const Program program = random_extended(choices, options);
    std::string log;
    const Fd fd = load_filter(program, log);
    ASSERT_TRUE(fd.valid()) << "WEIR_SEED=" << seed << " program " << i << "\n"
                            << disassemble(program.instructions) << log;
    const BothMachines loaded = machine(program, {}, {.legacy_packet_access = true});
    for (int j = 0; j < 5; ++j) {
      std::vector<std::uint8_t> packet(j == 0 ? choices.below(24) : kRandomPacketBytes);
      for (std::uint8_t& byte : packet) {
        byte = static_cast<std::uint8_t>(choices.chance(30) ? 0 : choices.any());
      }
      const auto want = run_filter(fd, packet);
      ASSERT_TRUE(want.has_value());
      const auto got = loaded.run({.packet = packet});
      ASSERT_TRUE(got.has_value()) << to_string(got.error());
      ASSERT_EQ(static_cast<std::uint32_t>(*got), *want)
          << "WEIR_SEED=" << seed << " program " << i << " packet " << weir::to_hex(packet) << "\n"
          << disassemble(program.instructions);
    }
  }
}

TEST(VmKernel, LegacyLoadsAtTheEdgesOfThePacket) {
  WEIR_NEEDS_KERNEL();
  const std::array<std::uint8_t, 6> packet = {1, 2, 3, 4, 5, 6};
  for (const Width width : {Width::kB, Width::kH, Width::kW}) {
    for (std::int32_t offset = 0; offset < 9; ++offset) {
      for (const std::int32_t index : {0, 1, 6, -1, -5}) {
        const Program program = program_of(
            {move(Reg::kR6, Reg::kR1), move(Reg::kR7, index), move(Reg::kR0, 9),
             LoadPacket{.width = width, .indirect = true, .index = Reg::kR7, .imm = offset},
             Alu{.op = AluOp::kAdd, .dst = Reg::kR0, .src = 100}, Exit{}});
        if (index + offset < 0) {
          continue;  // The kernel's ways to its headers, which the machine does not have.
        }
        expect_the_same(program, packet,
                        "index " + std::to_string(index) + " offset " + std::to_string(offset));
      }
    }
  }
}

TEST(VmKernel, LoopsAndLocalCalls) {
  WEIR_NEEDS_KERNEL();
  // Euclid's greatest common divisor of 1071 and 462, a bounded loop; then a function of two
  // arguments that uses its own stack, called twice.
  const Program program =
      program_of({move(Reg::kR6, 1071),
                  move(Reg::kR7, 462),
                  move(Reg::kR8, 20),
                  Jump{.op = JumpOp::kEq, .dst = Reg::kR7, .src = 0, .offset = 6},
                  move(Reg::kR1, Reg::kR6),
                  Alu{.op = AluOp::kMod, .dst = Reg::kR1, .src = Reg::kR7},
                  move(Reg::kR6, Reg::kR7),
                  move(Reg::kR7, Reg::kR1),
                  Alu{.op = AluOp::kSub, .dst = Reg::kR8, .src = 1},
                  Jump{.op = JumpOp::kNe, .dst = Reg::kR8, .src = 0, .offset = -7},
                  move(Reg::kR1, Reg::kR6),
                  move(Reg::kR2, 3),
                  Call{.kind = CallKind::kLocal, .imm = 4},
                  move(Reg::kR1, Reg::kR0),
                  move(Reg::kR2, 5),
                  Call{.kind = CallKind::kLocal, .imm = 1},
                  Exit{},
                  Store{.dst = Reg::kR10, .offset = -8, .src = Reg::kR2},
                  Alu{.op = AluOp::kMul, .dst = Reg::kR1, .src = 10},
                  Load{.dst = Reg::kR0, .src = Reg::kR10, .offset = -8},
                  Alu{.op = AluOp::kAdd, .dst = Reg::kR0, .src = Reg::kR1},
                  move(Reg::kR6, 0),
                  Exit{}});
  expect_the_same(program, std::array<std::uint8_t, 1>{0}, "loop and calls");
  EXPECT_EQ(result(program), 2135U);
}

}  // namespace
}  // namespace weir::vm
