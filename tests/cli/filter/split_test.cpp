// `weir filter --split`: the rules file, and what goes where.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/cli/cli.h"
#include "tools/filter/rules.h"

namespace weir::cli {
namespace {

using nlohmann::json;

const std::string kHttp = std::string(WEIR_PCAPS_DIR) + "/http.pcap";
const std::string kPcapng = std::string(WEIR_PCAPS_DIR) + "/two-interfaces.pcapng";

std::string error_of(const std::string& text) {
  const auto rules = filter::read_rules(text, "rules");
  return rules ? "" : to_string(rules.error());
}

// What `weir filter` alone writes for the filter.
std::string alone(const std::string& in, const std::string& expression) {
  const TemporaryFolder folder;
  EXPECT_EQ(weir({"filter", "-r", in, "-w", folder.path("out"), expression}).status, 0);
  return read_file(folder.path("out"));
}

TEST(FilterRules, AreLinesOfANameAndAnExpression) {
  const auto rules = filter::read_rules(
      "# remark\n\n web  tcp port 80 \r\nDNS-1\tudp port 53 # no remark\n  # remark\nrest",
      "rules");
  ASSERT_TRUE(rules);
  ASSERT_EQ(rules->size(), 3U);
  EXPECT_EQ((*rules)[0].name, "web");
  EXPECT_EQ((*rules)[0].expression, "tcp port 80");
  EXPECT_EQ((*rules)[0].line, 3U);
  EXPECT_EQ((*rules)[0].column, 7U);
  EXPECT_EQ((*rules)[1].name, "DNS-1");
  EXPECT_EQ((*rules)[1].expression, "udp port 53 # no remark");
  EXPECT_EQ((*rules)[2].name, "rest");
  EXPECT_EQ((*rules)[2].expression, "");
}

TEST(FilterRules, ErrorsTellLineAndColumn) {
  EXPECT_EQ(error_of("a ip\n  b/c ip\n").substr(0, 23), "rules:2:4: 'b/c' is no ");
  EXPECT_EQ(error_of("a ip\n..  ip\n").substr(0, 22), "rules:2:1: '..' is no ");
  EXPECT_EQ(error_of("a ip\nb ip6\n a arp\n"), "rules:3:2: a second rule is named 'a'");
  EXPECT_EQ(error_of("# nothing\n"), "rules: there is no rule in it");
}

TEST(FilterSplit, WritesWhatEachRuleTakes) {
  const TemporaryFolder folder;
  const std::string rules =
      folder.file("rules", "get tcp dst port 80\nip ip\nall\nnone ether[0] = 1 and len < 20\n");
  for (const char* threads : {"1", "2"}) {
    const TemporaryFolder out;
    const Answer answer = weir(
        {"filter", "-r", kHttp, "--split", rules, "-w", out.path(""), "-j", "--threads", threads});
    ASSERT_EQ(answer.status, 0) << answer.err;
    EXPECT_EQ(out.names(),
              (std::vector<std::string>{"all.pcap", "get.pcap", "ip.pcap", "none.pcap"}));
    EXPECT_TRUE(read_file(out.path("get.pcap")) == alone(kHttp, "tcp dst port 80"));
    EXPECT_TRUE(read_file(out.path("ip.pcap")) == alone(kHttp, "ip"));
    EXPECT_TRUE(read_file(out.path("all.pcap")) == alone(kHttp, ""));
    EXPECT_TRUE(read_file(out.path("none.pcap")) == alone(kHttp, "ether[0] = 1 and len < 20"));
    const json object = json::parse(answer.out);
    const json ip = json::parse(weir({"filter", "-r", kHttp, "-j", "ip"}).out);
    EXPECT_EQ(object["matched"], object["packets"]);
    EXPECT_EQ(object["rules"].size(), 4U);
    EXPECT_EQ(
        object["rules"][1],
        json({{"name", "ip"}, {"matched", ip["matched"]}, {"bytes_matched", ip["bytes_matched"]}}));
    EXPECT_EQ(object["rules"][3]["matched"], 0);
  }
}

TEST(FilterSplit, WithFirstEachPacketGoesToOneFile) {
  const TemporaryFolder folder;
  const std::string rules = folder.file("rules", "tcp tcp\nip ip\nrest\n");
  for (const std::string& in : {kHttp, kPcapng}) {
    const std::string out = folder.path("{}.out.zst");
    ASSERT_EQ(weir({"filter", "-r", in, "--split", rules, "--first", "-w", out}).status, 0);
    const std::vector<std::pair<std::string, std::string>> wanted = {
        {"tcp", "tcp"}, {"ip", "ip and not tcp"}, {"rest", "not ip and not tcp"}};
    for (const auto& [name, expression] : wanted) {
      EXPECT_TRUE(alone(folder.path(name + ".out.zst"), "") == alone(in, expression)) << name;
    }
  }
}

// More rules than one program holds, in engines that run them together and in one that does not;
// short.pcap has packets that end inside every header.
TEST(FilterSplit, ManyRulesSayWhatEachSaysAlone) {
  const TemporaryFolder folder;
  std::string text;
  std::vector<std::string> expressions = {"ip",   "tcp", "udp port 53", "tcp port 80", "arp",
                                          "icmp", "ip6", "vlan",        "less 60"};
  for (int port = 0; expressions.size() < 70; ++port) {
    expressions.push_back("tcp[0:2] & 63 = " + std::to_string(port) + " or udp src port " +
                          std::to_string(40000 + port));
  }
  for (std::size_t i = 0; i < expressions.size(); ++i) {
    text += "r" + std::to_string(i) + " " + expressions[i] + "\n";
  }
  const std::string rules = folder.file("rules", text);
  const std::string pcaps = WEIR_PCAPS_DIR;
  for (const char* capture : {"/http.pcap", "/short.pcap", "/dns.pcap"}) {
    const auto split = [&](const std::string& engine, std::vector<std::string> more) {
      more.insert(more.begin(),
                  {"filter", "-r", pcaps + capture, "--split", rules, "--engine", engine, "-j"});
      json object = json::parse(weir(more).out);
      object.erase("engine");
      return object;
    };
    const json every = split("libpcap", {});
    const json first = split("libpcap", {"--first"});
    EXPECT_GT(every["matched"], 0) << capture;
    EXPECT_NE(every, first) << capture;
    for (const char* engine : {"extended-interpreter", "extended-jit"}) {
      EXPECT_EQ(split(engine, {}), every) << capture << ", " << engine;
      EXPECT_EQ(split(engine, {"--first"}), first) << capture << ", " << engine;
      EXPECT_EQ(split(engine, {"--threads", "2"}), every) << capture << ", " << engine;
    }
  }
}

TEST(FilterSplit, CountsWithoutFiles) {
  const TemporaryFolder folder;
  const std::string rules = folder.file("rules", "one ip\ntwo ip6\n");
  const Answer answer = weir({"filter", "-r", kHttp, "--split", rules, "--count"});
  const std::string ip = weir({"filter", "-r", kHttp, "--count", "ip"}).out;
  const std::string ip6 = weir({"filter", "-r", kHttp, "--count", "ip6"}).out;
  EXPECT_EQ(answer.out, "one: " + ip + "two: " + ip6);
}

TEST(FilterSplit, EndsAfterSoManyPacketsThatAnyRuleTakes) {
  const TemporaryFolder folder;
  const std::string rules = folder.file("rules", "a tcp dst port 80\nb tcp src port 80\nc tcp\n");
  const Answer answer = weir({"filter", "-r", kHttp, "--split", rules, "-c", "5", "-j"});
  const json object = json::parse(answer.out);
  EXPECT_EQ(object["matched"], 5);
  EXPECT_EQ(object["rules"][2]["matched"], 5);
}

TEST(FilterSplit, AWrongRuleIsTheFilesAndLeavesNothingBehind) {
  const TemporaryFolder folder;
  const std::string rules = folder.file("rules", "a ip\nb tcp prot 80\n");
  const Answer answer =
      weir({"filter", "-r", kHttp, "--split", rules, "-w", folder.path("{}.pcap")});
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.err.find(rules + ":2:7: "), std::string::npos) << answer.err;
  EXPECT_EQ(folder.names(), std::vector<std::string>{"rules"});
  EXPECT_EQ(weir({"filter", "-r", kHttp, "--split", folder.path("missing")}).status, 1);
}

TEST(FilterSplit, RefusesWhatMakesNoSense) {
  const TemporaryFolder folder;
  const std::string rules = folder.file("rules", "a ip\n");
  const std::vector<std::vector<std::string>> wrong = {
      {"--split", rules, "tcp"},
      {"--split", rules, "-w", "-"},
      {"--split", rules, "-w", folder.path("one.pcap")},
      {"--first", "tcp"},
      {"--split", rules, "-F", rules},
  };
  for (std::vector<std::string> arguments : wrong) {
    arguments.insert(arguments.begin(), {"filter", "-r", kHttp});
    EXPECT_EQ(weir(arguments).status, 2);
  }
  EXPECT_EQ(folder.names(), std::vector<std::string>{"rules"});
}

TEST(FilterSplit, AFullDiskTakesNothingFromTheOtherFiles) {
  const TemporaryFolder folder;
  const std::string rules = folder.file("rules", "null tcp\nfull ip\n");
  const Answer answer = weir({"filter", "-r", kHttp, "--split", rules, "-w", "/dev/{}"});
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.err.find("/dev/full: cannot write"), std::string::npos) << answer.err;
}

}  // namespace
}  // namespace weir::cli
