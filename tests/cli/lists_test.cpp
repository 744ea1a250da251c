// Lists in files, by every command that takes an expression.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/cli.h"

namespace weir::cli {
namespace {

using nlohmann::json;

const std::string kTls = WEIR_PCAPS_DIR "/tls.pcap";

std::string engine_count(const std::string& engine, const std::string& expression) {
  const Answer answer = weir({"filter", "-r", kTls, "--engine", engine, "--count", expression});
  return answer.status == 0 ? answer.out : answer.err;
}

// The list means the `or` of its members, in every engine, and a long chain is a list.
TEST(Lists, MeanTheOrOfTheirMembers) {
  const TemporaryFolder folder;
  const std::string hosts = folder.file("hosts",
                                        "# a comment\n"
                                        "10.9.0.1   # one host\n"
                                        "\n"
                                        "192.168.0.0/16\n"
                                        "172.16.0.1-172.16.0.9\r\n"
                                        "2001:db8::/32\n");
  const std::string ports = folder.file("ports", "443\n8000-9000\n53\n");
  const std::string host_words =
      "(host 10.9.0.1 or net 192.168.0.0/16 or net 172.16.0.0/29 or host 172.16.0.8 or "
      "host 172.16.0.9 or net 2001:db8::/32)";
  struct Pair {
    std::string list;
    std::string words;
  };
  const Pair pairs[] = {
      {"host in @" + hosts, host_words},
      {"net in @" + hosts, host_words},
      {"not host in @" + hosts, "not " + host_words},
      {"host not in @" + hosts, "not " + host_words},
      {"tcp port in @" + ports + " and len > 60",
       "(tcp port 443 or tcp portrange 8000-9000 or tcp port 53) and len > 60"},
      {"tcp src port in @" + ports + " or icmp",
       "(tcp src port 443 or tcp src portrange 8000-9000 or tcp src port 53) or icmp"},
  };
  for (const Pair& pair : pairs) {
    const std::string wanted = engine_count("libpcap", pair.words);
    EXPECT_NE(wanted.find("packets"), std::string::npos) << wanted;
    for (const char* engine : {"classic-interpreter", "libpcap", "extended-interpreter"}) {
      EXPECT_EQ(engine_count(engine, pair.list), wanted) << engine << ": " << pair.list;
    }
  }
}

TEST(Lists, AnEmptyOneHoldsNothing) {
  const TemporaryFolder folder;
  const std::string empty = folder.file("empty", "\n  # nothing\n");
  EXPECT_EQ(engine_count("extended-interpreter", "host in @" + empty), "0 packets\n");
  EXPECT_EQ(engine_count("extended-interpreter", "host not in @" + empty),
            engine_count("extended-interpreter", ""));
}

TEST(Lists, ChainsOnTheCommandLineAreShortPrograms) {
  std::string chain;
  for (int i = 0; i < 600; ++i) {
    chain += (i == 0 ? "src host 10.1." : " or src host 10.1.") + std::to_string(i % 250) + "." +
             std::to_string(i % 200);
  }
  const TemporaryFolder folder;
  const Answer answer = weir({"compile", "-j", "--target", "xdp", chain});
  ASSERT_EQ(answer.status, 0) << answer.err;
  const json object = json::parse(answer.out);
  EXPECT_LT(object["extended"]["count"], 60);
  ASSERT_TRUE(object["extended"].contains("maps"));
  ASSERT_EQ(object["extended"]["maps"].size(), 1U);
  EXPECT_GE(object["extended"]["maps"][0]["data"].get<std::string>().size(), 2 * 600U / 8);
  EXPECT_LT(object["classic"]["count"], 4096);
  EXPECT_EQ(object["expression"], chain);
  // The same from a file.
  const std::string file = folder.file("expression", chain + "\n");
  EXPECT_EQ(weir({"compile", "-j", "--target", "xdp", "-F", file}).out, answer.out);
}

TEST(Lists, MistakesInFilesAreToldWithTheirPlace) {
  const TemporaryFolder folder;
  const std::string bad = folder.file("bad", "10.0.0.1\n\n  10.0.0.256  # no\n");
  Answer answer = weir({"compile", "src host in @" + bad});
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.err,
            "weir: " + bad + ":3:3: '10.0.0.256' is no member of a list of 'src host in'\n");
  answer = weir({"compile", "-j", "port in @" + bad});
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.out.find("\"error\""), std::string::npos) << answer.out;
  const std::string missing = folder.path("missing");
  answer = weir({"filter", "-r", kTls, "--count", "port in @" + missing});
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.err, "weir: " + missing + ": No such file or directory\n");
}

TEST(Lists, AreNotReadFromStdin) {
  const Answer answer = weir({"filter", "-r", kTls, "--count", "port in @-"}, "443\n");
  EXPECT_EQ(answer.status, 2);
  EXPECT_NE(answer.err.find("not from stdin"), std::string::npos) << answer.err;
}

// The caret stands under the words as they were written, though libpcap is shown others.
TEST(Lists, MistakesBesideThemGetTheCaret) {
  const TemporaryFolder folder;
  const std::string hosts = folder.file("hosts", "10.0.0.1\n10.0.0.2\n10.0.0.3\n");
  const std::string before = "host in @" + hosts + " and ";
  const Answer answer = weir({"compile", before + "prot 80"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.err.substr(answer.err.find('\n') + 1),
            before + "prot 80\n" + std::string(before.size(), ' ') + "^~~~\n");
}

TEST(Lists, EveryCommandTakesThem) {
  const TemporaryFolder folder;
  const std::string hosts = folder.file("hosts", "10.0.0.1\n10.0.0.0/8\n9.9.9.9\n8.8.8.8\n");
  const std::string expression = "src host in @" + hosts;
  for (const char* target : {"user", "socket", "tc", "xdp"}) {
    EXPECT_EQ(weir({"compile", "--target", target, expression}).status, 0) << target;
  }
  const Answer page = weir({"explain", expression});
  EXPECT_EQ(page.status, 0) << page.err;
  EXPECT_NE(page.out.find("stands for a test of the set s0"), std::string::npos) << page.out;
  const Answer bench =
      weir({"bench", "-r", kTls, "--rounds", "7", "-j", "--engine", "classic-interpreter",
            "--engine", "extended-interpreter", expression});
  EXPECT_EQ(bench.status, 0) << bench.err;
  for (const char* command : {"compile", "explain", "filter", "bench", "attach"}) {
    EXPECT_NE(weir({"help", command}).out.find("in @FILE"), std::string::npos) << command;
  }
}

}  // namespace
}  // namespace weir::cli
