#include "xdp/kernel/load.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/programs.h"

namespace weir::xdp {
namespace {

using ebpf::Alu;
using ebpf::AluOp;
using ebpf::Call;
using ebpf::Exit;
using ebpf::Imm64Kind;
using ebpf::Load;
using ebpf::LoadImm64;
using ebpf::Reg;
using ebpf::Width;
using testing::returning;

TEST(Load, TakesEveryProgramTypeAndTellsAboutIt) {
  WEIR_NEEDS_KERNEL();
  for (const ProgramType type : {ProgramType::kSocketFilter, ProgramType::kTc, ProgramType::kXdp}) {
    const auto program = load(returning(1), type, {.name = "a-name too long for it"});
    ASSERT_TRUE(program) << program_type_name(type) << ": " << to_string(program.error());
    EXPECT_EQ(program->type(), type);
    EXPECT_EQ(program->info().name, "a_name_too_long");
    EXPECT_NE(program->info().id, 0U);
    EXPECT_EQ(program->info().instructions, 2U);
    EXPECT_NE(program->info().loaded_at_ns, 0U);
    EXPECT_EQ(program->statistics().processed_instructions, 2U);
    EXPECT_NE(program->log(), "");
  }
}

TEST(Load, KeepsTheWholeTraceOnRequest) {
  WEIR_NEEDS_KERNEL();
  const auto program = load(returning(1), ProgramType::kXdp, {.full_log = true});
  ASSERT_TRUE(program) << to_string(program.error());
  EXPECT_NE(program->log().find("(b7) r0 = 1"), std::string::npos) << program->log();
}

TEST(Load, RefusedByTheVerifierSaysWhyAndFromWhichClassicInstruction) {
  WEIR_NEEDS_KERNEL();
  const auto program = load(testing::unguarded(testing::kXdpContext), ProgramType::kXdp);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().code, ErrorCode::kVerifier);
  EXPECT_EQ(program.error().message,
            "the kernel's verifier refused the program: R2 offset is outside of the packet");
  EXPECT_NE(program.error().detail.find("r0 = *(u8 *)(r2 +0)"), std::string::npos);
  EXPECT_NE(program.error().detail.find("[classic instruction 7]"), std::string::npos)
      << program.error().detail;
}

TEST(Load, RefusedBeforeTheTraceSaysWhyToo) {
  WEIR_NEEDS_KERNEL();
  ebpf::Program program = returning(0);
  program.instructions.insert(program.instructions.end(), {Alu{.dst = Reg::kR0}, Exit{}});
  program.origins = {0, 0, 5, 5};
  const auto loaded = load(program, ProgramType::kXdp);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kVerifier);
  EXPECT_EQ(loaded.error().message,
            "the kernel's verifier refused the program: unreachable insn 2");
  EXPECT_EQ(loaded.error().detail, "unreachable insn 2  [classic instruction 5]");
}

// r0 = the 32-bit word 4 bytes into the read-only data.
ebpf::Program reading_data() {
  ebpf::Program program;
  program.instructions = {
      LoadImm64{
          .kind = Imm64Kind::kMapValueIndex, .dst = Reg::kR1, .value = std::uint64_t{4} << 32 | 1},
      Load{.width = Width::kW, .dst = Reg::kR0, .src = Reg::kR1}, Exit{}};
  program.origins = {0, 0, 0};
  program.maps = {
      {.name = "counts", .kind = ebpf::MapKind::kPerCpuArray, .value_size = 16, .entries = 2},
      {.name = "table", .value_size = 8, .data = {1, 2, 3, 4, 5, 6, 7, 8}},
      {.name = "notes", .value_size = 3, .data = {'a', 'b', 'c'}, .metadata = true}};
  return program;
}

TEST(Load, MakesTheMapsFreezesTheDataAndBindsTheMetadata) {
  WEIR_NEEDS_KERNEL();
  const auto program = load(reading_data(), ProgramType::kXdp);
  ASSERT_TRUE(program) << to_string(program.error()) << program.error().detail;
  EXPECT_EQ(program->map_fd("nothing"), -1);
  // The table is named by an instruction, the notes are bound; nobody holds the counts.
  EXPECT_EQ(program->info().map_ids.size(), 2U);

  const std::uint32_t key = 0;
  std::uint64_t value = 0;
  ASSERT_EQ(bpf_map_lookup_elem(program->map_fd("table"), &key, &value), 0);
  EXPECT_NE(bpf_map_update_elem(program->map_fd("table"), &key, &value, BPF_ANY), 0);
  std::array<char, 3> notes{};
  ASSERT_EQ(bpf_map_lookup_elem(program->map_fd("notes"), &key, notes.data()), 0);
  EXPECT_EQ(std::string(notes.data(), notes.size()), "abc");
}

TEST(Load, RefusesDataOfTheWrongSizeAndMapsThatAreNotThere) {
  WEIR_NEEDS_KERNEL();
  ebpf::Program program = reading_data();
  program.maps[1].data.pop_back();
  auto loaded = load(program, ProgramType::kXdp);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidProgram);
  program.maps.pop_back();
  program.maps.pop_back();
  loaded = load(program, ProgramType::kXdp);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message, "names map 1 of 1");
}

std::string load_without_capabilities(const ebpf::Program& program) {
  return testing::without_capabilities([&]() -> std::string {
    const auto loaded = load(program, ProgramType::kXdp);
    return loaded ? "loaded"
                  : std::to_string(static_cast<int>(loaded.error().code)) + " " +
                        loaded.error().message;
  });
}

TEST(Load, WithoutThePrivilegeNamesTheCapabilities) {
  WEIR_NEEDS_KERNEL();
  const std::string code = std::to_string(static_cast<int>(ErrorCode::kPermission));
  for (const ebpf::Program& program : {returning(1), reading_data()}) {
    EXPECT_EQ(load_without_capabilities(program),
              code +
                  " loading an XDP program needs CAP_BPF and CAP_NET_ADMIN (for most filters "
                  "CAP_PERFMON too), which this process lacks: the container or service it runs in "
                  "has to be given them (docker --cap-add, systemd AmbientCapabilities=)");
  }
}

}  // namespace
}  // namespace weir::xdp
