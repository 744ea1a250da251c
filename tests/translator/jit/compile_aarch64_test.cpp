// The compiler for AArch64 on any machine: what it makes is instructions throughout, jumps stay
// inside, and the processor's registers are kept as a C function has to. That they do the right
// thing is held against the interpreter by aarch64/.
#include <capstone/capstone.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <optional>
#include <set>
#include <string>

#include "tests/translator/jit/filter_programs.h"
#include "tests/translator/vm/random_extended.h"
#include "tests/translator/vm/random_packet_program.h"
#include "translator/jit/compile.h"

namespace weir::jit {
namespace {

class CompileAArch64 : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &capstone_), CS_ERR_OK);
    cs_option(capstone_, CS_OPT_DETAIL, CS_OPT_ON);
  }
  void TearDown() override { cs_close(&capstone_); }

  static CompiledCode compiled(const ebpf::Program& program, const CompileOptions& options) {
    constexpr std::array kHelpers = {ebpf::Helper{.number = 5}};
    std::vector<ebpf::Region> data;
    for (const ebpf::Map& map : program.maps) {
      data.push_back(ebpf::readable(map.data));
    }
    auto code = compile({.program = program, .helpers = kHelpers, .options = options, .data = data},
                        Processor::kAArch64);
    EXPECT_TRUE(code.has_value()) << to_string(code.error());
    return code.value_or(CompiledCode{});
  }

  // The number of a general register; nothing of others, zero and the stack pointer among them.
  std::optional<unsigned> number_of(unsigned reg) const {
    const std::string name = cs_reg_name(capstone_, reg);
    const bool numbered = (name[0] == 'x' || name[0] == 'w') && std::isdigit(name[1]) != 0;
    return numbered ? std::optional(static_cast<unsigned>(std::stoul(name.substr(1))))
                    : std::nullopt;
  }

  // That there are only instructions, whose jumps stay inside, and which keep the registers a C
  // function has to keep.
  void look_through(const CompiledCode& code) const {
    std::set<unsigned> saved;
    std::set<unsigned> named;
    bool saves = true;  // Stores stand first, in front of all else.
    cs_insn* all = nullptr;
    const std::size_t count =
        cs_disasm(capstone_, code.bytes.data(), code.bytes.size(), 0, 0, &all);
    EXPECT_EQ(4 * count, code.bytes.size());
    for (std::size_t i = 0; i < count; ++i) {
      const cs_arm64& detail = all[i].detail->arm64;
      const std::string mnemonic = all[i].mnemonic;
      const bool makes_frame = mnemonic == "mov" && detail.operands[1].reg == ARM64_REG_SP;
      saves = saves && (mnemonic == "stp" || mnemonic == "str" || makes_frame);
      for (std::uint8_t n = 0; n < detail.op_count; ++n) {
        const cs_arm64_op& operand = detail.operands[n];
        if (operand.type == ARM64_OP_REG && number_of(operand.reg)) {
          (saves ? saved : named).insert(*number_of(operand.reg));
        }
        const bool is_target = n + 1 == detail.op_count && operand.type == ARM64_OP_IMM &&
                               cs_insn_group(capstone_, &all[i], CS_GRP_JUMP);
        if (is_target) {
          EXPECT_GE(operand.imm, 0);
          EXPECT_LT(operand.imm, static_cast<std::int64_t>(code.bytes.size()));
          EXPECT_EQ(operand.imm % 4, 0);
        }
      }
    }
    cs_free(all, count);
    for (const unsigned reg : named) {
      EXPECT_NE(reg, 18U) << "it belongs to the platform";
      EXPECT_TRUE(reg < 19 || saved.contains(reg)) << "register " << reg << " is not saved";
    }
  }

  void expect_well_made(const ebpf::Program& program) const {
    const CompiledCode checked =
        compiled(program, {.runs_on = RunsOn::kMemory, .legacy_packet_access = true});
    EXPECT_FALSE(checked.batch);
    const CompiledCode packets =
        compiled(program, {.runs_on = RunsOn::kPackets, .legacy_packet_access = true});
    look_through(checked);
    look_through(packets);
  }

  csh capstone_ = 0;
};

TEST_F(CompileAArch64, EveryFilterOfTheCorpus) {
  const std::vector<NamedProgram> programs = corpus_programs();
  ASSERT_GT(programs.size(), 100U);
  std::size_t batches = 0;
  for (const NamedProgram& one : programs) {
    SCOPED_TRACE(one.name);
    expect_well_made(one.program);
    const CompiledCode code = compiled(one.program, {.runs_on = RunsOn::kPackets});
    batches += code.batch ? 1 : 0;
    EXPECT_EQ(code.batch, code.checked_accesses == 0);
  }
  // All but those that loop.
  EXPECT_GT(batches, programs.size() * 9 / 10);
}

TEST_F(CompileAArch64, RandomPrograms) {
  const std::uint64_t seed = random::seed_or(64);
  random::Choices choices(seed);
  const std::uint32_t count = random::share_of(1000);
  for (std::uint32_t i = 0; i < count; ++i) {
    SCOPED_TRACE(fmt::format("WEIR_SEED={} program {}", seed, i));
    expect_well_made(vm::random_extended(choices));
    expect_well_made(vm::random_packet_program(choices));
  }
  for (const NamedProgram& one : random_classic_programs(choices, random::share_of(300))) {
    SCOPED_TRACE(fmt::format("WEIR_SEED={} {}", seed, one.name));
    expect_well_made(one.program);
  }
}

// A program whose jumps go over more than their short forms reach.
TEST_F(CompileAArch64, LongPrograms) {
  using namespace weir::ebpf;
  constexpr std::int32_t kBetween = 30'000;
  Program program;
  program.instructions.push_back(
      Jump{.op = JumpOp::kSet, .dst = Reg::kR1, .src = 1, .offset = kBetween});
  for (std::int32_t i = 0; i < kBetween; ++i) {
    program.instructions.push_back(
        Alu{.op = AluOp::kAdd, .dst = Reg::kR0, .src = i * 1000 + 0x12345});
  }
  program.instructions.push_back(Exit{});
  expect_well_made(program);
}

// What is refused is refused alike for every processor.
TEST_F(CompileAArch64, RefusesWhatUserSpaceDoesNotTake) {
  const ebpf::Program program{.instructions = {ebpf::Call{.imm = 6}, ebpf::Exit{}}};
  const CompileOptions options;
  for (const Processor processor : {Processor::kX86, Processor::kAArch64}) {
    const auto code =
        compile({.program = program, .helpers = {}, .options = options, .data = {}}, processor);
    ASSERT_FALSE(code.has_value());
    EXPECT_EQ(code.error().code, ErrorCode::kUnsupported);
    EXPECT_EQ(code.error().place.instruction, 0U);
  }
}

}  // namespace
}  // namespace weir::jit
