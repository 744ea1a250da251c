#include "cbpf/dialect.h"

#include <gtest/gtest.h>

#include "cbpf/compile.h"
#include "cbpf/text/assemble.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"
#include "tests/reference/reference_interpreter.h"

namespace weir::cbpf {
namespace {

std::optional<std::uint32_t> parts_at(const char* assembly) {
  const auto program = assemble(assembly);
  EXPECT_TRUE(program) << assembly;
  return dialects_part_at(validate(*program).value());
}

TEST(Dialect, OrdinaryOffsetsAreTheSameInBoth) {
  EXPECT_EQ(parts_at("ldx 4*([14]&0xf)\nldh [x + 14]\nret a"), std::nullopt);
  EXPECT_EQ(parts_at("ldh [12]\ntax\nldb [x + 1000]\nret a"), std::nullopt);
  EXPECT_EQ(parts_at("ld [0]\nand #0xffff\ntax\nldb [x]\nret a"), std::nullopt);
  EXPECT_EQ(parts_at("ldb [0]\nand #31\ntax\nld #1\nlsh x\nret a"), std::nullopt);
}

TEST(Dialect, NamesTheInstructionThatPartsThem) {
  EXPECT_EQ(parts_at("ld [0]\ntax\nldb [x + 4]\nret a"), 2U);
  EXPECT_EQ(parts_at("ldb [0]\ntax\nldb [x - 10]\nret a"), 2U);
  EXPECT_EQ(parts_at("ldb [0]\ntax\nld #1\nlsh x\nret a"), 3U);
  EXPECT_EQ(parts_at("ld [0xfff00000]\nret a"), 0U);
  EXPECT_EQ(parts_at("ldx 4*([0xfff00000]&0xf)\ntxa\nret a"), 0U);
  EXPECT_EQ(parts_at("ldb [0]\nsub #1\ntax\nldb [x]\nret a"), 3U);
}

TEST(Dialect, AnExtensionDoesNotPartThem) {
  EXPECT_EQ(parts_at("ld vlan_tci\nret a"), std::nullopt);
}

TEST(Dialect, ALoopIsForLibpcapOnly) {
  const auto program = compile("ip6 protochain 6");
  ASSERT_TRUE(program);
  EXPECT_TRUE(dialects_part_at(validate(*program).value()));
}

// What it calls the same is the same, on every program and packet.
TEST(Dialect, KeepsItsWordOnRandomPrograms) {
  const std::uint64_t seed = random::seed_or(7'000'000);
  std::uint32_t same = 0;
  for (std::uint32_t i = 0; i < 4'000; ++i) {
    random::Choices choices(seed + i);
    const Program program = random::random_program(choices, Dialect::kLinux);
    const auto validated = validate(program, Dialect::kLibpcap);
    if (!validated || dialects_part_at(*validated)) {
      continue;
    }
    ++same;
    for (int p = 0; p < 20; ++p) {
      const random::RandomPacket packet = random::random_packet(choices);
      ASSERT_EQ(reference::interpret(program, Dialect::kLinux, packet.view()),
                reference::interpret(program, Dialect::kLibpcap, packet.view()))
          << "WEIR_SEED=" << seed + i << "\n"
          << random::to_text(program);
    }
  }
  EXPECT_GT(same, 200U);
}

}  // namespace
}  // namespace weir::cbpf
