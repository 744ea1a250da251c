#include "translator/opt/pass.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "translator/ir/text/text.h"

namespace weir::opt {
namespace {

ir::Function small() {
  return ir::parse(R"(function EN10MB {
b0:
  v0 = length
  v1 = add 1, 2
  return v1
})")
      .value();
}

TEST(Passes, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Pass& pass : all_passes()) {
    EXPECT_TRUE(names.insert(pass.name).second) << pass.name;
    EXPECT_FALSE(pass.summary.empty());
    EXPECT_NE(pass.name, "none");
  }
}

TEST(RunPasses, TheDefaultIsThePipelineAndLeavesNoPassOut) {
  ir::Function function = small();
  const auto reports = run_passes(function, {});
  ASSERT_TRUE(reports.has_value());
  ASSERT_EQ(reports->size(), default_pipeline().size());
  std::set<std::string_view> ran;
  for (std::size_t i = 0; i < reports->size(); ++i) {
    EXPECT_EQ((*reports)[i].name, default_pipeline()[i]);
    ran.insert((*reports)[i].name);
  }
  EXPECT_EQ(ran.size(), all_passes().size());
  EXPECT_EQ(ir::print(function), "function EN10MB {\nb0:\n  return 3\n}\n");
}

TEST(RunPasses, ReportsSizesAndTimesAndDumpsBeforeAndAfter) {
  ir::Function function = small();
  PassOptions options;
  options.passes = {"fold_constants", "dead_code"};
  std::chrono::nanoseconds time{0};
  options.clock = [&time] { return time += std::chrono::nanoseconds(5); };
  std::string dumped;
  options.dump = [&dumped](std::string_view name, const ir::Function& now) {
    dumped += std::string(name) + ":" + ir::print(now);
  };
  const auto reports = run_passes(function, options);
  ASSERT_TRUE(reports.has_value());
  EXPECT_EQ((*reports)[0].before.values, 2U);
  EXPECT_EQ((*reports)[0].after.values, 1U);
  EXPECT_EQ((*reports)[1].before.values, 1U);
  EXPECT_EQ((*reports)[1].after.values, 0U);
  EXPECT_EQ((*reports)[1].time.count(), 5);
  EXPECT_EQ(dumped,
            ":function EN10MB {\nb0:\n  v0 = length\n  v1 = add 1, 2\n  return v1\n}\n"
            "fold_constants:function EN10MB {\nb0:\n  v0 = length\n  return 3\n}\n"
            "dead_code:function EN10MB {\nb0:\n  return 3\n}\n");
}

TEST(SizeOf, CountsBlocksValuesLoadsAndNeeds) {
  const auto function = ir::parse(R"(function EN10MB {
b0:
  need 14
  v0 = load 2 [12]
  branch eq v0, 0x800 ? b1(v0) : b2
b1(v1):
  need v1 + 3
  guard v1
  v2 = load 1 [v1 + 2]
  v3 = add v2, 7
  return v3
b2:
  return 0
})");
  ASSERT_TRUE(function.has_value());
  EXPECT_EQ(size_of(*function), (Size{.blocks = 3, .values = 4, .loads = 2, .needs = 2}));
}

TEST(RunPasses, NoneIsNoPass) {
  ir::Function function = small();
  PassOptions options;
  options.passes = {"none"};
  const auto reports = run_passes(function, options);
  ASSERT_TRUE(reports.has_value());
  EXPECT_TRUE(reports->empty());
  EXPECT_EQ(ir::print(function), ir::print(small()));
}

TEST(RunPasses, RefusesWhatIsNoPassBeforeItRunsAny) {
  ir::Function function = small();
  PassOptions options;
  options.passes = {"dead_code", "magic"};
  auto reports = run_passes(function, options);
  ASSERT_FALSE(reports.has_value());
  EXPECT_EQ(reports.error().code, ErrorCode::kUsage);
  EXPECT_TRUE(reports.error().message.starts_with("no pass 'magic'; there are none, "));
  EXPECT_NE(reports.error().message.find("dead_code"), std::string::npos);
  options.passes = {"none", "dead_code"};
  reports = run_passes(function, options);
  ASSERT_FALSE(reports.has_value());
  EXPECT_EQ(reports.error().message, "'none' stands alone, not among other passes");
  EXPECT_EQ(ir::print(function), ir::print(small()));
}

TEST(RunPasses, ChecksOnRequest) {
  ir::Function wrong = ir::parse("function EN10MB { b0: v0 = load 1 [0] return v0 }").value();
  PassOptions options;
  options.check = true;
  const auto reports = run_passes(wrong, options);
  ASSERT_FALSE(reports.has_value());
  EXPECT_EQ(reports.error().code, ErrorCode::kInvalidProgram);
  EXPECT_EQ(reports.error().message,
            "before the first pass: b0: v0: loads what no need on some way here has covered");
}

}  // namespace
}  // namespace weir::opt
