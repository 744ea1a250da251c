// What attach, show and stats print, and what attach refuses before it touches the kernel.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/cli/cli.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"

namespace weir::cli {
namespace {

using nlohmann::json;
using testing::NetworkNamespace;
using testing::VethPair;

// An expression that clears the screen, returns the carriage and has two lines, and the same as it
// is printed.
constexpr char kForeign[] = "ip\r\n or arp\t or ip6";
constexpr char kForeignShown[] = "ip\\x0d\\n or arp\\t or ip6";

TEST(ForeignText, InErrorsIsPrintable) {
  const std::string clear = "\x1b[2J\xc2\x9b\x7f\xff";
  const std::string shown = R"(\x1b[2J\xc2\x9b\x7f\xff)";
  const std::vector<std::vector<std::string>> calls = {
      {"show\n" + clear},
      {"help", "show", "\n" + clear},
      {"compile", "ip host \n" + clear},
      {"compile", "-F", "\n" + clear},
      {"compile", "--dialect", "\n" + clear, "ip"},
      {"attach", "-i", "\n" + clear, "--drop", "ip"},
      {"attach", "-i", "x", "--hook", "\n" + clear, "--drop", "ip"},
      {"detach", "\n" + clear},
      {"filter", "-r", "\n" + clear, "ip"},
  };
  for (const auto& call : calls) {
    const Answer answer = weir(call);
    EXPECT_NE(answer.status, 0) << call[0];
    const std::string said = answer.out + answer.err;
    EXPECT_NE(said.find(shown), std::string::npos) << said;
    for (const char c : {'\x1b', '\x7f', '\xff', '\x9b', '\r'}) {
      EXPECT_EQ(said.find(c), std::string::npos) << call[0] << ": " << said;
    }
    if (call[0] != "compile" || call[1] == "--dialect") {
      EXPECT_NE(said.find("\\n" + shown), std::string::npos) << said;
    }
  }
}

TEST(Show, PrintsOneLineAProgram) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const Answer attached = weir({"attach", "-i", pair.b(), "--hook", "tc", "--count", kForeign});
  ASSERT_EQ(attached.status, 0) << attached.err;
  EXPECT_EQ(attached.err, "");
  for (const std::vector<std::string>& call :
       {std::vector<std::string>{"show"}, {"show", "-v"}, {"show", pair.b()}}) {
    const Answer shown = weir(call);
    EXPECT_EQ(shown.status, 0) << shown.err;
    EXPECT_EQ(std::count(shown.out.begin(), shown.out.end(), '\n'), 1) << shown.out;
    EXPECT_NE(shown.out.find(std::string("count ") + kForeignShown + " (program "),
              std::string::npos)
        << shown.out;
    EXPECT_NE(shown.out.find(", EN10MB, since "), std::string::npos) << shown.out;
  }
  EXPECT_NE(attached.out.find(kForeignShown), std::string::npos) << attached.out;
  EXPECT_NE(weir({"stats"}).out.find(kForeignShown), std::string::npos);
  EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"][0]["expression"], kForeign);
  const Answer detached = weir({"detach", pair.b()});
  EXPECT_EQ(detached.status, 0) << detached.err;
  EXPECT_NE(detached.out.find(kForeignShown), std::string::npos) << detached.out;
}

TEST(Show, SaysWhatIsInFrontOnlyWhenItIsToBeTold) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  testing::run("tc qdisc add dev " + pair.b() + " clsact");
  testing::run("tc filter add dev " + pair.b() +
               " ingress protocol ip prio 1 bpf bytecode '1,6 0 0 0,' flowid 1:1");
  ASSERT_EQ(weir({"attach", "-i", pair.b(), "--hook", "tc", "--count", "ip"}).status, 0);
  const std::string note = "  after the bpf filter at priority 1\n";
  EXPECT_EQ(weir({"show"}).out.find(note), std::string::npos);
  EXPECT_NE(weir({"show", "-v"}).out.find(note), std::string::npos);
  EXPECT_NE(weir({"show", "-i", pair.b()}).out.find(note), std::string::npos);
  EXPECT_NE(weir({"stats", pair.b()}).out.find(note), std::string::npos);
}

TEST(AttachJson, IsTheRowThatShowGives) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  for (const std::string hook : {"xdp", "tc", "tc-egress"}) {
    const Answer attached =
        weir({"attach", "-j", "-i", pair.b(), "--hook", hook, "--count", kForeign});
    ASSERT_EQ(attached.status, 0) << attached.err;
    const json object = json::parse(attached.out);
    if (object["vlan_tags"] !=
        "lost") {  // Which is said, where this kernel's XDP cannot read them.
      EXPECT_EQ(attached.err, "");
    }
    EXPECT_EQ(object["programs"], json::parse(weir({"show", "-j"}).out)["programs"]);
    EXPECT_EQ(object["expression"], kForeign);
    EXPECT_GT(object["verifier_instructions"], 0);
    EXPECT_EQ(weir({"detach", pair.b()}).status, 0);
  }
}

TEST(AttachEverything, HasToBeMeant) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const TemporaryFolder folder;
  const std::string blank = folder.file("blank", " \n");
  const std::vector<std::string> attach = {"attach", "-i", pair.b(), "--hook", "tc", "--count"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> call = attach;
    call.insert(call.end(), more.begin(), more.end());
    return weir(call);
  };
  for (const std::vector<std::string>& refused :
       {std::vector<std::string>{}, {"--"}, {" "}, {"", ""}, {"-F", blank}, {"--all", "ip"}}) {
    const Answer answer = with(refused);
    EXPECT_EQ(answer.status, 2) << (refused.empty() ? "" : refused[0]) << answer.out;
    EXPECT_NE(answer.err.find("--all"), std::string::npos) << answer.err;
  }
  EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"].size(), 0U);
  for (const std::vector<std::string>& meant : {std::vector<std::string>{"--all"}, {""}}) {
    const Answer answer = with(meant);
    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"][0]["expression"], "");
    EXPECT_EQ(weir({"detach", pair.b()}).status, 0);
  }
}

}  // namespace
}  // namespace weir::cli
