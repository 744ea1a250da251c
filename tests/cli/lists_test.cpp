// Lists in files, by every command that takes an expression.
#include <gtest/gtest.h>

#include <initializer_list>
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
  EXPECT_EQ(answer.err, "weir: " + bad +
                            ":3:3: '10.0.0.256' is no member of a list of 'src host in': invalid "
                            "IPv4 address '10.0.0.256'\n");
  answer = weir({"compile", "-j", "port in @" + bad});
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.out.find("\"error\""), std::string::npos) << answer.out;
  const std::string missing = folder.path("missing");
  answer = weir({"filter", "-r", kTls, "--count", "port in @" + missing});
  EXPECT_EQ(answer.status, 1);
  EXPECT_EQ(answer.err, "weir: " + missing + ": No such file or directory\n");
}

// What libpcap's own words take, and the forms in which lists are published.
TEST(Lists, TakeWhatLibpcapTakes) {
  const TemporaryFolder folder;
  struct List {
    const char* words;
    const char* members;
    const char* chain;
  };
  for (const List& list : std::initializer_list<List>{
           {"ether host",
            "02-00-00-00-00-01\n0200.0000.0002\n020000000003\n2.0.0.0.0.4\n2:0:0:0:0:5\n",
            "ether host 02:00:00:00:00:01 or ether host 02:00:00:00:00:02 or ether host "
            "02:00:00:00:00:03 or ether host 02:00:00:00:00:04 or ether host 02:00:00:00:00:05"},
           {"src net", "0.0.0.0\n0.1.2.3\n10.1\n",
            "src net 0.0.0.0 or src net 0.1.2.3 or src net 10.1"},
           {"src net",
            "\xef\xbb\xbf"
            "10.0.0.0/8 ; SBL1\r\n; all\r\n10.9.0.0/16\r\n",
            "src net 10.0.0.0/8 or src net 10.9.0.0/16"},
           {"src host", "10.0.0.1 - 10.0.0.3\n10.0.0.9 -10.0.0.9\n",
            "src host 10.0.0.1 or src host 10.0.0.2 or src host 10.0.0.3 or src host 10.0.0.9"},
           {"tcp port", "http\n8000 - 8002\n443\n",
            "tcp port 80 or tcp portrange 8000-8002 or tcp port 443"},
           {"ip proto", "ospf\n6\n", "ip proto 89 or ip proto 6"}}) {
    const std::string file = folder.file("list", list.members);
    const std::string words = std::string(list.words) + " in @" + file;
    const Answer answer = weir({"compile", "-ddd", words});
    ASSERT_EQ(answer.status, 0) << words << ": " << answer.err;
    const Answer wanted = weir({"filter", "-r", kTls, "--count", list.chain});
    EXPECT_EQ(weir({"filter", "-r", kTls, "--count", words}).out, wanted.out) << list.chain;
  }
}

TEST(Lists, TheReasonIsSaid) {
  const TemporaryFolder folder;
  struct Fault {
    const char* words;
    const char* members;
    const char* message;
  };
  for (const Fault& fault : std::initializer_list<Fault>{
           {"net", "\n 10.0.0.1/8\n",
            ":2:2: '10.0.0.1/8' is no member of a list of 'net in': non-network bits set in"},
           {"host", "10.0.0.1/8", "non-network bits set in"},
           {"host", "10.0.0.9-10.0.0.1", "the range begins after its end"},
           {"host", "10.0.0.1 10.0.0.2", "a line holds one member"},
           {"ip host", "::1", "'ip' modifier applied to ip6 host"},
           {"port", "70000", "illegal port number 70000 > 65535"},
           {"port", "no-such-port", "unknown port 'no-such-port'"},
           {"host", "example.invalid", "only with --resolve"},
           {"ether host", "00:11-22:33:44:55", "illegal link layer address"},
           {"host",
            "\xff\xfe"
            "1",
            ":1:1: the list is UTF-16 text"}}) {
    const std::string file = folder.file("list", fault.members);
    const Answer answer = weir({"compile", std::string(fault.words) + " in @" + file});
    EXPECT_EQ(answer.status, 1) << fault.members;
    EXPECT_EQ(answer.err.rfind("weir: " + file + ":", 0), 0U) << answer.err;
    EXPECT_NE(answer.err.find(fault.message), std::string::npos) << answer.err;
  }
}

TEST(Lists, InTheWrongPlaceGetTheCaret) {
  struct Place {
    const char* expression;
    const char* message;
    const char* caret;
  };
  for (const Place& place : std::initializer_list<Place>{
           {"tcp and host in @", "'@' names no file", "                ^"},
           {"host @list", "a list comes after 'in'", "     ^~~~~"},
           {"src and dst host in @list", "takes no list; packets between members are",
            "                    ^~~~~"},
           {"ip src and dst net not in @list", "takes no list",
            "                          ^~~~~"}}) {
    const Answer answer = weir({"compile", place.expression});
    EXPECT_EQ(answer.status, 1) << place.expression;
    EXPECT_NE(answer.err.find(place.message), std::string::npos) << answer.err;
    EXPECT_EQ(answer.err.substr(answer.err.find('\n') + 1),
              std::string(place.expression) + "\n" + place.caret + "\n");
  }
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
