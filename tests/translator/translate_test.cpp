#include "translator/translate.h"

#include <gtest/gtest.h>

#include <string>

#include "cbpf/compile.h"
#include "cbpf/packet.h"

namespace weir {
namespace {

cbpf::ValidatedProgram compiled(const std::string& expression) {
  return cbpf::validate(cbpf::compile(expression).value()).value();
}

TEST(Translate, GoesTheWholeWayForEveryTarget) {
  for (const lower::TargetId id : {lower::TargetId::kUser, lower::TargetId::kSocket,
                                   lower::TargetId::kTc, lower::TargetId::kXdp}) {
    TranslateOptions options;
    options.target = id;
    options.passes.check = true;
    for (const char* expression : {"", "ip", "tcp port 80", "vlan 7 and udp", "protochain 17"}) {
      const auto program = translate(compiled(expression), options);
      ASSERT_TRUE(program.has_value())
          << lower::target(id).name << ", " << expression << ": " << to_string(program.error());
      EXPECT_FALSE(program->instructions.empty());
    }
  }
}

TEST(Translate, EveryStepRunsAndPassesCanBeLeftOut) {
  // libpcap computes the constants of such an expression at run time.
  const cbpf::ValidatedProgram program = compiled("ip[2 + 2] = 1 + 1");
  TranslateOptions options;
  std::string seen;
  options.passes.dump = [&seen](std::string_view name, const ir::Function&) {
    seen += std::string(name) + ";";
  };
  const auto with = translate(program, options);
  options.passes.passes = {"none"};
  const auto without = translate(program, options);
  ASSERT_TRUE(with.has_value() && without.has_value());
  EXPECT_LE(with->instructions.size(), without->instructions.size());
  EXPECT_TRUE(seen.starts_with(";"));
  EXPECT_NE(seen.find(";dead_code;"), std::string::npos);
}

TEST(Translate, GivesTheErrorOfTheStepThatFailed) {
  TranslateOptions options;
  options.passes.passes = {"magic"};
  auto program = translate(compiled("ip"), options);
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().code, ErrorCode::kUsage);

  // XDP cannot look up netlink attributes.
  const cbpf::Program reads_nla = {
      {{cbpf::kLd | cbpf::kAbs | cbpf::kW, 0, 0, cbpf::kAncillaryOffset + 12},
       {cbpf::kRet | cbpf::kA, 0, 0, 0}}};
  options = {};
  options.target = lower::TargetId::kXdp;
  program = translate(cbpf::validate(reads_nla, cbpf::Dialect::kLinux).value(), options);
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().code, ErrorCode::kUnsupported);
}

TEST(TranslateClassic, MakesAShorterProgramOfTheSameDialect) {
  for (const cbpf::Dialect dialect : {cbpf::Dialect::kLibpcap, cbpf::Dialect::kLinux}) {
    const auto given = cbpf::validate(cbpf::compile("tcp port 80").value(), dialect).value();
    ClassicOptions options;
    options.passes.check = true;
    const auto program = translate_classic(given, options);
    ASSERT_TRUE(program.has_value()) << to_string(program.error());
    EXPECT_EQ(program->dialect(), dialect);
    EXPECT_LT(program->program().instructions.size(), given.program().instructions.size());
  }
}

TEST(TranslateClassic, GivesBackWhatItCannotMakeShorter) {
  // The loop would be unrolled.
  const cbpf::ValidatedProgram loop = compiled("ip protochain 17");
  EXPECT_EQ(translate_classic(loop)->program(), loop.program());
  // Reads A and X in passing.
  const cbpf::Program reads_nla = {
      {{cbpf::kLd | cbpf::kImm, 0, 0, 14},
       {cbpf::kLdx | cbpf::kImm, 0, 0, 3},
       {cbpf::kLd | cbpf::kAbs | cbpf::kW, 0, 0, cbpf::kAncillaryOffset + 12},
       {cbpf::kRet | cbpf::kA, 0, 0, 0}}};
  const auto nla = cbpf::validate(reads_nla, cbpf::Dialect::kLinux).value();
  EXPECT_EQ(translate_classic(nla)->program(), reads_nla);
}

TEST(TranslateClassic, PutsTagsBackWhereTheKernelTookThemOut) {
  ClassicOptions options;
  for (const lower::TargetId id : {lower::TargetId::kSocket, lower::TargetId::kTc}) {
    options.target = id;
    const auto program = translate_classic(compiled("tcp port 80"), options);
    ASSERT_TRUE(program.has_value()) << to_string(program.error());
    EXPECT_EQ(program->dialect(), cbpf::Dialect::kLinux);
    EXPECT_EQ(program->extensions(), cbpf::Ancillary::bit(cbpf::Extension::kVlanAvail));
    // A tagged frame is no match; only that is asked beside the rest.
    EXPECT_EQ(program->program().instructions.size(),
              translate_classic(compiled("tcp port 80"))->program().instructions.size() + 2);
  }
  options.target = lower::TargetId::kXdp;
  EXPECT_EQ(translate_classic(compiled("ip"), options).error().code, ErrorCode::kUsage);
}

TEST(TranslateClassic, GivesTheErrorOfTheStepThatFailed) {
  ClassicOptions options;
  options.passes.passes = {"magic"};
  const auto program = translate_classic(compiled("ip"), options);
  ASSERT_FALSE(program.has_value());
  EXPECT_EQ(program.error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace weir
