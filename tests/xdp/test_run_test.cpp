#include "xdp/kernel/test_run.h"

#include <gtest/gtest.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/kernel/programs.h"

namespace weir::xdp {
namespace {

using testing::frame;

Result<LoadedProgram> ether_type_program(ProgramType type) {
  switch (type) {
    case ProgramType::kSocketFilter:
      return load(testing::accept_ether_type(0x0800), type);
    case ProgramType::kTc:
      return load(testing::on_ether_type(testing::kTcContext, 0x0800, 0xffff, 0), type);
    case ProgramType::kXdp:
      return load(testing::on_ether_type(testing::kXdpContext, 0x0800, 0xffff, 0), type);
  }
  return fail(ErrorCode::kUsage, "no such type");
}

constexpr ProgramType kTypes[] = {ProgramType::kSocketFilter, ProgramType::kTc, ProgramType::kXdp};

TEST(TestRun, BeginsWithTheLinkLayerAtEveryHook) {
  WEIR_NEEDS_KERNEL();
  for (const ProgramType type : kTypes) {
    const auto program = ether_type_program(type);
    ASSERT_TRUE(program) << to_string(program.error());
    for (const std::size_t length : {60U, 1514U, 3000U, 3520U}) {
      const auto match = test_run(*program, frame(0x0800, length));
      ASSERT_TRUE(match) << program_type_name(type) << ": " << to_string(match.error());
      EXPECT_EQ(match->value, 0xffffU) << program_type_name(type) << " " << length;
      const auto other = test_run(*program, frame(0x86dd, length), 10);
      ASSERT_TRUE(other) << to_string(other.error());
      EXPECT_EQ(other->value, 0U) << program_type_name(type) << " " << length;
    }
  }
}

TEST(TestRun, OfAShortPacketSeesItsOwnLength) {
  WEIR_NEEDS_KERNEL();
  // 13 bytes of a frame have no whole ether type, 14 have; what stands behind them in the kernel's
  // buffer must not be seen.
  const std::vector<std::uint8_t> whole = frame(0x0800, 14);
  const auto program = ether_type_program(ProgramType::kSocketFilter);
  ASSERT_TRUE(program) << to_string(program.error());
  for (const std::size_t length : {1U, 13U, 14U}) {
    const auto run = test_run(*program, Bytes(whole).first(length));
    ASSERT_TRUE(run) << length << ": " << to_string(run.error());
    EXPECT_EQ(run->value, length == 14 ? 0xffffU : 0U) << length;
  }
  const auto xdp = ether_type_program(ProgramType::kXdp);
  ASSERT_TRUE(xdp) << to_string(xdp.error());
  const auto run = test_run(*xdp, whole);
  ASSERT_TRUE(run) << to_string(run.error());
  EXPECT_EQ(run->value, 0xffffU);
}

TEST(TestRun, GivesASocketFilterTheProtocolOfThePacket) {
  WEIR_NEEDS_KERNEL();
  ebpf::Program reads_protocol;
  reads_protocol.instructions = {
      ebpf::Load{
          .width = ebpf::Width::kW, .dst = ebpf::Reg::kR0, .src = ebpf::Reg::kR1, .offset = 16},
      ebpf::Endian{.bits = 16}, ebpf::Exit{}};
  const auto program = load(reads_protocol, ProgramType::kSocketFilter);
  ASSERT_TRUE(program) << to_string(program.error());
  const auto run = test_run(*program, frame(0x0800, 34));
  ASSERT_TRUE(run) << to_string(run.error());
  EXPECT_EQ(run->value, 0x0800U);
  const auto other = test_run(*program, frame(0x1234, 14));
  ASSERT_TRUE(other) << to_string(other.error());
  EXPECT_EQ(other->value, 0x1234U);
  // The kernel refuses IPv4 without a whole header, and must not be told another protocol here.
  const auto too_short = test_run(*program, frame(0x0800, 33));
  ASSERT_FALSE(too_short);
  EXPECT_EQ(too_short.error().code, ErrorCode::kUnsupported);
}

struct LengthCase {
  ProgramType type;
  std::uint16_t ether_type;
  std::size_t length;
};

TEST(TestRun, OfALengthTheKernelDoesNotTakeIsUnsupported) {
  WEIR_NEEDS_KERNEL();
  for (const LengthCase& c :
       {LengthCase{ProgramType::kSocketFilter, 0x1234, 4096},
        LengthCase{ProgramType::kTc, 0x1234, 4096}, LengthCase{ProgramType::kTc, 0x0800, 33},
        LengthCase{ProgramType::kTc, 0x86dd, 53}, LengthCase{ProgramType::kXdp, 0x1234, 3521},
        LengthCase{ProgramType::kXdp, 0x1234, 70000}}) {
    const auto program = ether_type_program(c.type);
    ASSERT_TRUE(program) << to_string(program.error());
    const std::vector<std::uint8_t> bytes = frame(c.ether_type, c.length);
    const auto run = test_run(*program, Bytes(bytes).first(c.length));
    ASSERT_FALSE(run) << program_type_name(c.type) << c.length;
    EXPECT_EQ(run.error().code, ErrorCode::kUnsupported) << to_string(run.error());
  }
  const auto program = ether_type_program(ProgramType::kTc);
  ASSERT_TRUE(program) << to_string(program.error());
  const auto run = test_run(*program, std::vector<std::uint8_t>(13));
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().message, "the kernel does not test-run tc programs on packets of 13 bytes");
}

}  // namespace
}  // namespace weir::xdp
