#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tools/bench/measure/statistics.h"
#include "tools/bench/report/comparison_report.h"
#include "tools/bench/report/conclusion.h"

namespace weir::tool {
namespace {

using bench::Method;
using nlohmann::json;

// Sixty rounds about `ns` that agree within 1 ns.
std::vector<double> steady(double ns) {
  std::vector<double> rounds;
  for (int i = 0; i < 60; ++i) {
    rounds.push_back(ns + (i % 5 - 2) * 0.5);
  }
  return rounds;
}

// Sixty rounds that another load on the processor throws between -163 and 63 ns.
std::vector<double> disturbed(double ns) {
  std::vector<double> rounds = steady(ns);
  for (std::size_t i = 0; i < rounds.size(); i += 2) {
    rounds[i] = i % 4 == 0 ? -163 : 63;
  }
  return rounds;
}

bench::Row row(std::string name, int design, Method method, std::vector<double> rounds) {
  bench::Row made{.name = std::move(name), .design = design, .method = method};
  made.ns_per_packet = bench::spread_of(std::move(rounds));
  return made;
}

Report report_of(std::vector<bench::Row> rows, std::vector<bench::Noise> noise = {}) {
  Report report{.filter = "ip", .machine = "none", .sections = {{}}};
  report.sections[0].comparison.rows = std::move(rows);
  report.sections[0].comparison.noise = std::move(noise);
  return report;
}

// The rows of a socket, all of which have a ratio when they are to be believed.
Report at_a_socket(std::vector<double> classic, std::vector<double> extended, double replicates) {
  Report report = report_of({row("kernel-classic", 1993, Method::kSocketSlope, steady(60)),
                             row("kernel-classic-O", 1993, Method::kSocketSlope, classic),
                             row("kernel-socket", 2014, Method::kSocketSlope, extended)},
                            {{Method::kSocketSlope, replicates}});
  for (bench::Row& one : report.sections[0].comparison.rows) {
    if (report.sections[0].comparison.credible(one)) {
      one.ratio_to_base = 1;
    }
  }
  return report;
}

std::string line_of(const std::string& text, const std::string& begin) {
  const std::size_t at = text.find("\n" + begin);
  return at == text.npos ? "" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

TEST(BenchReport, SteadyRowsAreBelieved) {
  const Report report = at_a_socket(steady(20), steady(10), 0.5);
  const std::string table = to_table(report, false);
  EXPECT_EQ(table.find("nois", table.find("noise ") + 1), table.npos) << table;
  EXPECT_NE(conclusion(report).find("at a socket, unseen: eBPF 2.0x faster (kernel-socket over "),
            std::string::npos)
      << conclusion(report);
  const json parsed = json::parse(to_json(report));
  for (const json& one : parsed["sections"][0]["engines"]) {
    EXPECT_EQ(one["noisy"], false) << one;
    EXPECT_LT(one["noise_ns"], 1) << one;
  }
}

// The replicates agree, so only the spread can tell.
TEST(BenchReport, ARowWhoseRoundsScatterIsNoise) {
  const Report report = at_a_socket(steady(20), disturbed(10), 0.5);
  const std::string table = to_table(report, true);
  EXPECT_TRUE(line_of(table, "  kernel-socket ").ends_with(" -163.0..63.0   noisy")) << table;
  EXPECT_EQ(line_of(table, "  kernel-classic-O ").find("noisy"), std::string::npos) << table;
  EXPECT_NE(table.find("(noisy: the rounds of the row differ too much"), std::string::npos);
  EXPECT_NE(conclusion(report).find("at a socket, unseen: too noisy to tell"), std::string::npos)
      << conclusion(report);
  EXPECT_EQ(socket_advice(report.sections[0].comparison), std::nullopt);
  const json section = json::parse(to_json(report))["sections"][0];
  EXPECT_EQ(section["engines"][1]["noisy"], false);
  EXPECT_EQ(section["engines"][2]["noisy"], true);
  EXPECT_GT(section["engines"][2]["noise_ns"], 3);
  EXPECT_TRUE(section["engines"][2]["ratio_to_base"].is_null());
}

// One that runs slower in the second half of the time than in the first.
TEST(BenchReport, ARowThatDriftsIsNoise) {
  std::vector<double> drifting = steady(10);
  std::fill(drifting.begin() + 30, drifting.end(), 30);
  const Report report = at_a_socket(steady(20), drifting, 0.5);
  EXPECT_TRUE(line_of(to_table(report, false), "  kernel-socket ").ends_with(" noisy"));
}

// A base that is noise is no base.
TEST(BenchReport, NothingIsHeldAgainstANoisyBase) {
  const Report report = at_a_socket(disturbed(20), steady(10), 0.5);
  EXPECT_EQ(json::parse(to_json(report))["sections"][0]["bases"]["socket slope"], "kernel-classic");
  EXPECT_EQ(socket_advice(report.sections[0].comparison), std::nullopt);
}

TEST(BenchReport, ReplicatesApartMakeEveryRowOfTheMethodNoise) {
  const Report report = at_a_socket(steady(20), steady(10), 3.1);
  const std::string table = to_table(report, false);
  for (const char* name : {"  kernel-classic ", "  kernel-classic-O ", "  kernel-socket "}) {
    EXPECT_TRUE(line_of(table, name).ends_with(" noisy")) << table;
  }
  EXPECT_NE(table.find("(replicates differ by 3.1 ns: too noisy to believe these rows)"),
            std::string::npos)
      << table;
  EXPECT_NE(conclusion(report).find("too noisy to tell"), std::string::npos);
  const json parsed = json::parse(to_json(report));
  for (const json& one : parsed["sections"][0]["engines"]) {
    EXPECT_EQ(one["noisy"], true) << one;
  }
}

// 1.2 ns more is no reason to choose, where replicates are 2.9 ns apart.
TEST(BenchReport, ADifferenceWithinTheNoiseIsNone) {
  EXPECT_NE(conclusion(at_a_socket(steady(7.2), steady(6), 2.9))
                .find("at a socket, unseen: no difference beyond the noise"),
            std::string::npos);
  const Report dearer = at_a_socket(steady(6), steady(8.8), 2.9);
  EXPECT_EQ(socket_advice(dearer.sections[0].comparison), std::nullopt);
  const Report sure = at_a_socket(steady(6), steady(9), 0.1);
  EXPECT_NE(socket_advice(sure.sections[0].comparison), std::nullopt);
}

// A noisy row decides only where it could be the fastest of its design.
TEST(BenchReport, ANoisyRowThatIsSlowAnyhowSpoilsNoConclusion) {
  const auto conclude = [](std::vector<double> libpcap) {
    return conclusion(report_of({row("libpcap", 1993, Method::kLoop, std::move(libpcap)),
                                 row("libpcap-O", 1993, Method::kLoop, steady(20)),
                                 row("extended-jit", 2014, Method::kLoop, steady(10))}));
  };
  std::vector<double> slow = steady(500);
  std::fill(slow.begin(), slow.begin() + 30, 400);
  EXPECT_NE(conclude(slow).find("eBPF 2.0x faster (extended-jit over libpcap-O)"),
            std::string::npos)
      << conclude(slow);
  EXPECT_NE(conclude(disturbed(30)).find("too noisy to tell"), std::string::npos);
}

}  // namespace
}  // namespace weir::tool
