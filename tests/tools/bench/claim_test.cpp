#include <gtest/gtest.h>

#include "tools/bench/report/claim_2014.h"

namespace weir::bench {
namespace {

Row row(std::string name, double ns) {
  return {.name = std::move(name), .ns_per_packet = {ns, ns, ns}};
}

// A filter of so many classic instructions with the same times on both traffics, but that the
// extended engines take twice as long on unseen traffic.
FilterFigures figures(std::string name, std::size_t instructions, double classic,
                      double interpreter, double jit) {
  FilterFigures made{
      .filter = {.name = std::move(name)},
      .setup = {},
      .plain = PeerProgram{.program = {std::vector<cbpf::Instruction>(instructions)}},
      .optimised = fail(ErrorCode::kUnsupported, "not tried"),
      .executed = {},
      .sections = {}};
  for (const bool hot : {true, false}) {
    Comparison comparison;
    const double times = hot ? 1 : 2;
    comparison.rows = {
        row("classic-interpreter", 2 * classic), row("classic-interpreter-O", classic),
        row("extended-interpreter", times * interpreter), row("extended-jit", times * jit)};
    // Not right, so not timed: its zeros are no figures.
    Row wrong = row("classic-interpreter-weir", 0);
    wrong.skipped = "wrong";
    comparison.rows.push_back(wrong);
    made.sections.push_back({hot, std::move(comparison)});
  }
  return made;
}

TEST(Claim, TheRatioIsThatOfTheFastestClassicProgram) {
  const FilterFigures one = figures("ip", 4, 12, 6, 2);
  EXPECT_EQ(design_ratio(one, true, "extended-interpreter"), 2);
  EXPECT_EQ(design_ratio(one, true, "extended-jit"), 6);
  EXPECT_EQ(design_ratio(one, false, "extended-jit"), 3);
  EXPECT_FALSE(design_ratio(one, true, "kernel-xdp"));
}

TEST(Claim, RatiosHaveTheirEndsAndTheirNames) {
  const std::vector<FilterFigures> corpus = {figures("ip", 4, 12, 6, 2), figures("arp", 4, 9, 6, 3),
                                             figures("hosts", 500, 100, 10, 2)};
  const auto ratios = design_ratios(corpus);
  ASSERT_EQ(ratios.size(), 8U);
  EXPECT_EQ(ratios[0].engine, "extended-interpreter");
  EXPECT_TRUE(ratios[0].hot && ratios[0].ordinary);
  EXPECT_EQ(ratios[0].filters, 2U);
  EXPECT_EQ(ratios[0].ratio.min, 1.5);
  EXPECT_EQ(ratios[0].ratio.median, 1.75);
  EXPECT_EQ(ratios[0].ratio.max, 2);
  EXPECT_EQ(ratios[0].smallest, "arp");
  EXPECT_EQ(ratios[0].largest, "ip");
  EXPECT_FALSE(ratios[1].ordinary);
  EXPECT_EQ(ratios[1].filters, 3U);
  EXPECT_EQ(ratios[1].ratio.median, 2);
  EXPECT_EQ(ratios[1].largest, "hosts");
  EXPECT_FALSE(ratios[2].hot);
  EXPECT_EQ(ratios[7].engine, "extended-jit");
  EXPECT_EQ(ratios[7].ratio.max, 25);
}

TEST(Claim, IsReproducedInPartOrRefuted) {
  const std::vector<FilterFigures> lists = {figures("a", 4, 80, 10, 1), figures("b", 4, 90, 10, 1)};
  auto claim = judge_claim(design_ratios(lists));
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->verdict, ClaimVerdict::kReproduced);

  const std::vector<FilterFigures> some = {figures("a", 4, 16, 10, 1), figures("b", 4, 18, 10, 1),
                                           figures("list", 500, 60, 10, 1)};
  claim = judge_claim(design_ratios(some));
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->verdict, ClaimVerdict::kInPart);
  EXPECT_EQ(
      claim->sentence,
      "the claim is reproduced in part: on hot traffic the median of 1.80 comes to 1.5 and the "
      "largest of 6.0 comes to 4 (of ordinary filters 1.70 and 1.8), on unseen traffic the "
      "median of 0.90 is below 1.5 and the largest of 3.0 is below 4 (of ordinary filters 0.85 "
      "and 0.9)");

  const std::vector<FilterFigures> none = {figures("a", 4, 14, 10, 1)};
  claim = judge_claim(design_ratios(none));
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->verdict, ClaimVerdict::kRefuted);
}

TEST(Claim, IsNotJudgedWithoutTheInterpreter) {
  FilterFigures one = figures("ip", 4, 12, 6, 2);
  for (Section& section : one.sections) {
    section.comparison.rows.erase(section.comparison.rows.begin() + 2);
  }
  const auto ratios = design_ratios({&one, 1});
  EXPECT_EQ(ratios.size(), 4U);
  EXPECT_FALSE(judge_claim(ratios));
  EXPECT_FALSE(judge_claim({}));
}

}  // namespace
}  // namespace weir::bench
