#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/cli.h"

namespace weir::cli {
namespace {

using nlohmann::json;

// The user-space engines alone: the kernel's have their own test.
const std::vector<std::string> kQuick = {"bench",    "-j",      "--rounds", "7",
                                         "--engine", "libpcap", "--engine", "extended-interpreter"};

Answer bench(std::vector<std::string> more) {
  std::vector<std::string> arguments = kQuick;
  arguments.insert(arguments.end(), more.begin(), more.end());
  return weir(arguments);
}

// The rows without those of DPDK, which are there where it is installed.
json without_dpdk(const json& rows) {
  json left = json::array();
  for (const json& row : rows) {
    if (!row["name"].get<std::string>().starts_with("dpdk-")) {
      left.push_back(row);
    }
  }
  return left;
}

// Whether this machine was too busy to believe some row of a corpus.
bool any_noisy(const json& report) {
  bool noisy = false;
  for (const json& filter : report["filters"]) {
    for (const json& section : filter["sections"]) {
      for (const json& row : section["engines"]) {
        noisy = noisy || row["noisy"] == true;
      }
    }
  }
  return noisy;
}

TEST(Bench, JsonKeepsItsContract) {
  const Answer answer = bench({"-r", WEIR_PCAPS_DIR "/http.pcap", "tcp", "port", "80"});
  ASSERT_EQ(answer.status, 0) << answer.err;
  const json object = json::parse(answer.out);
  EXPECT_EQ(object["filter"], "tcp port 80");
  EXPECT_GT(object["sections"][0]["traffic"]["packets"], 0);
  EXPECT_GT(object["sections"][0]["traffic"]["bytes"], 0);
  EXPECT_TRUE(object["machine"].is_string());
  EXPECT_FALSE(object.contains("engines")) << "each section is there once";
  const json engines = without_dpdk(object["sections"][0]["engines"]);
  ASSERT_EQ(engines.size(), 4U);  // Those asked for, and bpf_filter() on better code.
  for (const json& engine : engines) {
    EXPECT_EQ(engine["matched"], object["sections"][0]["engines"][0]["matched"]);
    EXPECT_GT(engine["instructions"], 0);
    EXPECT_EQ(engine["native_bytes"], 0);
    EXPECT_TRUE(engine["skipped"].is_null());
    EXPECT_TRUE(engine["wrong"].is_null());
    EXPECT_LE(engine["ns_per_packet"]["min"], engine["ns_per_packet"]["median"]);
    EXPECT_LE(engine["ns_per_packet"]["median"], engine["ns_per_packet"]["max"]);
  }
  EXPECT_EQ(object["sections"][0]["engines"][0]["name"], "libpcap");
  EXPECT_EQ(object["sections"][0]["engines"][0]["design"], 1993);
  const json& libpcap = object["sections"][0]["engines"][0];
  EXPECT_GE(libpcap["noise_ns"], 0);
  EXPECT_EQ(libpcap["ratio"], libpcap["noisy"] == true ? json() : json(1.0));
  EXPECT_EQ(object["sections"][0]["engines"][1]["design"], 2014);
  EXPECT_EQ(object["sections"][0]["engines"][2]["name"], "libpcap-O");
  EXPECT_EQ(object["sections"][0]["engines"][2]["design"], 1993);
}

TEST(Bench, AHookIsItsEngines) {
  const Answer answer = weir({"bench", "-j", "--rounds", "7", "--hook", "user", "ip"});
  ASSERT_EQ(answer.status, 0) << answer.err;
  const json object = json::parse(answer.out);
  std::string names;
  for (const json& engine : without_dpdk(object["sections"][0]["engines"])) {
    names += engine["name"].get<std::string>() + " ";
  }
  EXPECT_EQ(names,
            "classic-interpreter libpcap extended-interpreter extended-jit classic-interpreter-O "
            "libpcap-O classic-interpreter-weir libpcap-weir ");
  EXPECT_EQ(weir({"bench", "--hook", "moon", "ip"}).status, 2);
}

TEST(Bench, ACorpusIsMeasuredFilterByFilter) {
  const TemporaryFolder folder;
  const std::string corpus =
      folder.file("corpus.tsv", "# a comment\nweb\tEN10MB\ttcp port 80\nbare\tRAW\tudp\n");
  const Answer answer = bench({"--corpus", corpus});
  ASSERT_EQ(answer.status, 0) << answer.err;
  const json object = json::parse(answer.out);
  EXPECT_EQ(object["corpus"], corpus);
  ASSERT_EQ(object["filters"].size(), 2U);
  const json& web = object["filters"][0];
  EXPECT_EQ(web["filter"], "tcp port 80");
  EXPECT_EQ(web["instructions"]["libpcap"], 22);
  EXPECT_GT(web["instructions"]["xdp"], 0);
  EXPECT_GT(web["executed"]["user"]["matching"], 0);
  EXPECT_GT(web["set_up"]["libpcap"]["ns"], 0);
  EXPECT_EQ(web["sections"].size(), 2U);
  EXPECT_EQ(object["filters"][1]["link_type"], "RAW");
  EXPECT_TRUE(object["medians"]["all"]["unseen/libpcap"].is_number() || any_noisy(object));
  EXPECT_TRUE(object["medians"]["all"]["kernel/xdp"].is_null()) << "not asked for";
  EXPECT_TRUE(object["claim_2014"].is_null()) << "nor the classic interpreter";
}

TEST(Bench, ACorpusIsTablesOfEightyColumns) {
  const TemporaryFolder folder;
  // libpcap's optimiser is wrong about the second, which takes more than a line to say.
  const std::string corpus =
      folder.file("corpus.tsv", "web\tEN10MB\ttcp port 80\nsix\tEN10MB\tip6 net 2001:db8::/32\n");
  const Answer answer = weir({"bench", "--corpus", corpus, "--rounds", "7", "--hook", "user"});
  ASSERT_EQ(answer.status, 0) << answer.err;
  EXPECT_NE(answer.out.find("\n  web "), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("\n  median "), std::string::npos) << answer.out;
  EXPECT_TRUE(answer.out.find("\nthe claim is re") != answer.out.npos ||
              answer.out.find("too noisy to believe") != answer.out.npos)
      << answer.out;
  std::istringstream lines(answer.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.size() <= 80 || line.starts_with("machine") || line.starts_with("corpus"))
        << line;
  }
}

TEST(Bench, ACorpusJudgesTheClaimOf2014) {
  const TemporaryFolder folder;
  const std::string corpus =
      folder.file("corpus.tsv", "web\tEN10MB\ttcp port 80\nip\tEN10MB\tip\n");
  const Answer answer =
      weir({"bench", "-j", "--corpus", corpus, "--rounds", "7", "--engine", "classic-interpreter",
            "--engine", "extended-interpreter", "-r", WEIR_PCAPS_DIR "/http.pcap"});
  ASSERT_EQ(answer.status, 0) << answer.err;
  const json report = json::parse(answer.out);
  const json claim = report["claim_2014"];
  if (any_noisy(report)) {
    GTEST_SKIP() << "rows were noise, from which nothing is concluded (BenchReport.* tests that)";
  }
  EXPECT_TRUE(claim["sentence"].get<std::string>().starts_with("the claim is re")) << claim;
  ASSERT_EQ(claim["ratios"].size(), 2U) << claim;
  EXPECT_EQ(claim["ratios"][0]["of"], "ordinary");
  EXPECT_EQ(claim["ratios"][1]["filters"], 2);
  EXPECT_LE(claim["ratios"][1]["min"], claim["ratios"][1]["median"]);
  EXPECT_LE(claim["ratios"][1]["median"], claim["ratios"][1]["max"]);
}

TEST(Bench, ReportsHotAndUnseenTrafficApart) {
  const Answer answer = bench({"ip"});
  ASSERT_EQ(answer.status, 0) << answer.err;
  const json sections = json::parse(answer.out)["sections"];
  ASSERT_EQ(sections.size(), 2U);
  EXPECT_EQ(sections[0]["hot"], true);
  EXPECT_EQ(sections[1]["hot"], false);
}

TEST(Bench, TakesTheLinkTypeOfTheFile) {
  const Answer answer = bench({"-r", WEIR_PCAPS_DIR "/raw.pcap", "ip"});
  ASSERT_EQ(answer.status, 0) << answer.err;
  EXPECT_GT(json::parse(answer.out)["sections"][0]["engines"][0]["matched"], 0);
}

TEST(Bench, PrintsATable) {
  const Answer answer = weir(
      {"bench", "--rounds", "7", "--engine", "libpcap", "-r", WEIR_PCAPS_DIR "/http.pcap", "ip"});
  EXPECT_EQ(answer.status, 0) << answer.err;
  EXPECT_NE(answer.out.find("hot traffic: "), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("  libpcap                  1993 "), std::string::npos) << answer.out;
}

// Data goes to a file here: no bars, and ratios that a reader can compute from the times beside
// them.
TEST(Bench, TheTableFitsAHundredColumnsAndEndsInPlainWords) {
  const Answer answer = weir({"bench", "--rounds", "7", "--hook", "user", "tcp port 80"});
  ASSERT_EQ(answer.status, 0) << answer.err;
  EXPECT_EQ(answer.err.find('\r'), std::string::npos);
  EXPECT_EQ(answer.out.find("\u2588"), std::string::npos) << answer.out;
  std::istringstream lines(answer.out);
  double libpcap_ns = 0;
  int ratios = 0;
  bool noisy = false;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.size() <= 100 || line.starts_with("machine")) << line;
    std::istringstream words(line);
    std::string name, range;
    double design = 0, instructions = 0, ns = 0, noise = 0, ratio = 0;
    if (!(words >> name >> design >> instructions >> ns >> noise >> range >> ratio)) {
      noisy = noisy || line.ends_with(" noisy");
      continue;
    }
    libpcap_ns = name == "libpcap" ? ns : libpcap_ns;
    if (libpcap_ns > 0 && name.starts_with("extended-")) {
      const double rounding = 0.006 + 0.05 / ns + ratio * 0.05 / ns;
      EXPECT_NEAR(ratio, libpcap_ns / ns, rounding) << line;
      ++ratios;
    }
  }
  EXPECT_TRUE(ratios == 4 || noisy) << answer.out;
  const std::size_t end = answer.out.find("\ncompared  classic BPF (1993) and eBPF (2014), ");
  ASSERT_NE(end, std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("\nresult    in user space, hot: ", end), std::string::npos);
  EXPECT_NE(answer.out.find("\nnext      `weir explain 'tcp port 80'` shows", end),
            std::string::npos);
}

TEST(Bench, WrongInputIsSaid) {
  EXPECT_EQ(weir({"bench", "--growth", "ip"}).status, 2);
  EXPECT_EQ(weir({"bench", "--engine", "moon", "ip"}).status, 2);
  EXPECT_EQ(weir({"bench", "--rounds", "1", "ip"}).status, 2);
  EXPECT_EQ(weir({"bench", "-r", "/no/such/file", "ip"}).status, 1);
  EXPECT_EQ(weir({"bench", "tcp prot 80"}).status, 1);
  EXPECT_EQ(weir({"bench", "--corpus", "/no/such/file"}).status, 1);
  EXPECT_EQ(weir({"bench", "--corpus", "/no/such/file", "ip"}).status, 2);
  const TemporaryFolder folder;
  const std::string corpus = folder.file("bad.tsv", "# none\nweb\tEN10MB\ttcp prot 80\n");
  const Answer answer = weir({"bench", "--corpus", corpus, "--rounds", "7", "--hook", "user"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.err.find("bad.tsv:2: web: "), std::string::npos) << answer.err;
}

// Beside a binary that was copied elsewhere there are no captures: unseen traffic is measured, and
// what is missing is said in one sentence.
TEST(Bench, MissingCapturesAreSaid) {
  const TemporaryFolder folder;
  const std::string copy = folder.path("weir");
  std::filesystem::copy_file(WEIR_BINARY, copy);
  const std::string missing = folder.path("nowhere");
  const auto run = [&](const std::string& environment) {
    const std::string err = folder.path("err");
    const std::string command = environment + " '" + copy +
                                "' bench -j --rounds 7 --engine libpcap ip > '" +
                                folder.path("out") + "' 2> '" + err + "'";
    EXPECT_EQ(std::system(command.c_str()), 0) << read_file(err);
    return std::pair(json::parse(read_file(folder.path("out")))["sections"].size(), read_file(err));
  };
  const auto [alone, said] = run("env WEIR_PCAPS='" + missing + "'");
  EXPECT_EQ(alone, 1U);
  EXPECT_EQ(said, "weir: warning: the bundled captures, which are the hot traffic, are not in " +
                      missing +
                      "; unseen traffic alone is measured: name a savefile with -r FILE, or their "
                      "folder in WEIR_PCAPS\n");
  // Where weir is installed the copy finds the installed ones.
  const auto [sections, words] = run("env -u WEIR_PCAPS");
  EXPECT_EQ(sections == 1, words.find("share/weir/pcaps or ") != words.npos) << words;
}

TEST(Bench, ACorpusGoesOnPastAFilterThatDoesNotCompile) {
  const TemporaryFolder folder;
  const std::string corpus = folder.file("some.tsv", "bad\tEN10MB\ttcp prot 80\nweb\tEN10MB\tip\n");
  const Answer answer = bench({"--corpus", corpus});
  ASSERT_EQ(answer.status, 0) << answer.err;
  const json object = json::parse(answer.out);
  EXPECT_EQ(object["filters"].size(), 1U);
  ASSERT_EQ(object["refused"].size(), 1U);
  EXPECT_EQ(object["refused"][0]["name"], "bad");
}

}  // namespace
}  // namespace weir::cli
