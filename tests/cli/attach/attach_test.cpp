// The commands that touch the running kernel, in a network namespace of the test's own.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/attach/standing.h"
#include "tests/cli/cli.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"

namespace weir::cli {
namespace {

using nlohmann::json;
using testing::NetworkNamespace;
using testing::VethPair;

// An Ethernet frame of 60 bytes with this ether type.
std::vector<std::uint8_t> frame_of(std::uint16_t type) {
  std::vector<std::uint8_t> frame(60, 0);
  frame[5] = 1;
  frame[0] = frame[6] = 2;
  frame[12] = static_cast<std::uint8_t>(type >> 8);
  frame[13] = static_cast<std::uint8_t>(type);
  return frame;
}

void send(const std::string& interface, std::uint16_t type, int count) {
  testing::PacketSocket socket(interface);
  for (int i = 0; i < count; ++i) {
    socket.send(frame_of(type));
  }
}

class Attach : public ::testing::TestWithParam<const char*> {};

TEST_P(Attach, StandsCountsAndLeavesNoTrace) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const std::string qdiscs = testing::run("tc qdisc show");

  // A drop on the way out is an error to whoever sends, so the rule only counts there.
  const bool egress = std::string(GetParam()) == "tc-egress";
  const std::string action = egress ? "count" : "drop";
  const std::string sender = egress ? pair.b() : pair.a();
  const Answer attached =
      weir({"attach", "-i", pair.b(), "--hook", GetParam(), "--" + action, "ether proto 0x88b5"});
  ASSERT_EQ(attached.status, 0) << attached.err;
  const json shown = only_program(weir({"show", "-j"}));
  EXPECT_EQ(shown["interface"], pair.b());
  EXPECT_EQ(shown["action"], action);
  EXPECT_EQ(shown["expression"], "ether proto 0x88b5");
  EXPECT_EQ(shown["weir"], true);

  send(sender, 0x88b5, 5);
  send(sender, 0x88b6, 3);
  const json stats = only_program(weir({"stats", "-j", pair.b()}));
  EXPECT_EQ(stats["match"], json({{"packets", 5}, {"bytes", 300}}));
  EXPECT_GE(stats["no_match"]["packets"], 3);

  const Answer again = weir({"attach", "-i", pair.b(), "--hook", GetParam(), "--count", "ip"});
  EXPECT_EQ(again.status, 1) << "a rule that is there is not replaced without --replace";
  EXPECT_EQ(weir({"detach", "-i", pair.b()}).status, 0);
  EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"].size(), 0U);
  EXPECT_EQ(testing::run("tc qdisc show"), qdiscs);
  EXPECT_EQ(testing::run("ip link show " + pair.b()).find("prog/xdp"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Hooks, Attach, ::testing::Values("xdp", "tc", "tc-egress"),
                         [](const auto& hook) {
                           std::string name = hook.param;
                           std::erase(name, '-');
                           return name;
                         });

// The list lies in a map of the program's own, beside the counters and the rule's text.
TEST(AttachLists, DropWhatTheListNames) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const TemporaryFolder folder;
  std::string macs = "02:00:00:00:00:00\n";
  for (int i = 1; i < 1000; ++i) {
    macs += fmt::format("06:00:00:00:{:x}:{:x}\n", i / 256, i % 256);
  }
  const std::string expression = "ether src host in @" + folder.file("macs", macs);
  for (const char* hook : {"xdp", "tc"}) {
    const Answer attached = weir({"attach", "-i", pair.b(), "--hook", hook, "--drop", expression});
    ASSERT_EQ(attached.status, 0) << attached.err;
    EXPECT_EQ(only_program(weir({"show", "-j"}))["expression"], expression);
    send(pair.a(), 0x88b5, 5);
    const json stats = only_program(weir({"stats", "-j", pair.b()}));
    EXPECT_EQ(stats["match"]["packets"], 5) << hook;
    EXPECT_EQ(weir({"detach", "-i", pair.b()}).status, 0);
  }
}

// Frames to 10.1.15.255, 10.1.2.255, 10.1.0.0, 10.1.3.0 and 255.255.255.255: what is a broadcast of
// them hangs on the netmask.
void send_broadcasts(const std::string& interface) {
  testing::PacketSocket socket(interface);
  for (const std::uint32_t destination :
       {0x0a010fffU, 0x0a0102ffU, 0x0a010000U, 0x0a010300U, 0xffffffffU}) {
    std::vector<std::uint8_t> frame = frame_of(0x0800);
    frame[14] = 0x45;
    for (int i = 0; i < 4; ++i) {
      frame[static_cast<std::size_t>(30 + i)] =
          static_cast<std::uint8_t>(destination >> (24 - 8 * i));
    }
    socket.send(frame);
  }
}

TEST(AttachNetmask, IsTheInterfacesOwnUnlessOneIsGiven) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const auto broadcasts = [&](const char* hook, std::vector<std::string> more) {
    more.insert(more.begin(), {"attach", "-i", pair.b(), "--hook", hook, "--count"});
    more.emplace_back("ip broadcast");
    const Answer attached = weir(more);
    EXPECT_EQ(attached.status, 0) << attached.err;
    send_broadcasts(pair.a());
    const json stats = only_program(weir({"stats", "-j", pair.b()}));
    EXPECT_EQ(weir({"detach", "-i", pair.b()}).status, 0);
    return stats["match"]["packets"].get<int>();
  };
  for (const char* hook : {"xdp", "tc"}) {
    SCOPED_TRACE(hook);
    EXPECT_EQ(broadcasts(hook, {}), 1) << "without an address no mask is known";
    testing::run("ip address add 10.1.2.3/20 dev " + pair.b());
    EXPECT_EQ(broadcasts(hook, {}), 3) << "10.1.0.0/20";
    EXPECT_EQ(broadcasts(hook, {"--netmask", "/24"}), 5);
    EXPECT_EQ(broadcasts(hook, {"--netmask", "255.255.0.0"}), 2);
    testing::run("ip address del 10.1.2.3/20 dev " + pair.b());
  }
}

TEST(AttachErrors, SayWhatIsWrongAndLeaveNothing) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const Answer no_interface = weir({"attach", "-i", "nosuch0", "--drop", "ip"});
  EXPECT_EQ(no_interface.status, 1);
  EXPECT_NE(no_interface.err.find("nosuch0"), std::string::npos) << no_interface.err;
  EXPECT_EQ(weir({"attach", "-i", pair.b(), "--drop", "tcp prot 80"}).status, 1);
  EXPECT_EQ(weir({"attach", "-i", pair.b(), "ip"}).status, 2);
  EXPECT_EQ(weir({"attach", "-i", pair.b(), "--drop", "--pass", "ip"}).status, 2);
  EXPECT_EQ(weir({"attach", "--drop", "ip"}).status, 2);
  EXPECT_EQ(weir({"attach", "-i", pair.b(), "--drop", "--hook", "moon", "ip"}).status, 2);
  const Answer extension =
      weir({"attach", "-i", pair.b(), "--drop", "--asm", "-"}, "ld mark\nret a\n");
  EXPECT_EQ(extension.status, 1);
  EXPECT_NE(extension.err.find("mark"), std::string::npos) << extension.err;
  EXPECT_NE(extension.err.find("xdp"), std::string::npos) << extension.err;
  EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"].size(), 0U);
}

// Is one of the first 8,300 bytes a 7? More branches in a row than any verifier follows.
TEST(AttachErrors, AVerifierRefusalIsSaid) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const std::string qdiscs = testing::run("tc qdisc show");
  std::string assembly;
  for (int i = 0; i < 8300; ++i) {
    assembly += fmt::format("ldb [{}]\njneq #7, n{}\nret #1\nn{}:", i, i, i);
  }
  const Answer answer = weir({"attach", "-i", pair.b(), "--hook", "tc", "--count", "--asm", "-"},
                             assembly + "ret #0");
  EXPECT_EQ(answer.status, 1);
  EXPECT_NE(answer.err.find("weir: the kernel's verifier refused the program: "), std::string::npos)
      << answer.err;
  EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"].size(), 0U);
  EXPECT_EQ(testing::run("tc qdisc show"), qdiscs);
}

TEST(AttachErrors, AClosedStdoutTakesTheRuleAway) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  testing::run_any(std::string(kWeirInShell) + " attach -i " + pair.b() + " --drop ip > /dev/full");
  EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"].size(), 0U);
}

TEST(Replace, IsAskedForAndSurvivesAClosedStdout) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  for (const std::string hook : {"xdp", "tc", "tc-egress"}) {
    const std::vector<std::string> first = {"attach", "-i",      pair.b(), "--hook",
                                            hook,     "--count", "arp"};
    const auto with = [&](const std::string& option, const std::string& expression) {
      return std::vector<std::string>{"attach", "-i",     pair.b(), "--hook",
                                      hook,     "--drop", option,   expression};
    };
    // Where nothing is attached, --replace attaches.
    EXPECT_EQ(weir(with("--replace", "ip")).status, 0);
    const Answer refused = weir(first);
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.err.find("--replace"), std::string::npos) << refused.err;
    EXPECT_EQ(weir(with("--replace", "arp")).status, 0);
    EXPECT_EQ(only_program(weir({"show", "-j"}))["expression"], "arp");
    EXPECT_EQ(weir(with("--force", "ip6")).status, 0);
    const json before = only_program(weir({"show", "-j"}));
    EXPECT_EQ(before["expression"], "ip6");
    const std::string said =
        testing::run_any(std::string(kWeirInShell) + " attach -i " + pair.b() + " --hook " + hook +
                         " --replace --drop ip 2>&1 > /dev/full");
    EXPECT_NE(said.find("stdout cannot be written"), std::string::npos) << said;
    EXPECT_EQ(only_program(weir({"show", "-j"}))["expression"], "ip6") << hook;
    EXPECT_EQ(weir({"detach", "-i", pair.b()}).status, 0);
  }
}

// A rule of every packet has no expression that could be printed.
// Alternative names may be longer than the 15 characters of a name.
TEST(AttachNames, AllNameTheInterface) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  testing::ip({"link property add dev " + pair.a() + " altname uplink",
               "link property add dev " + pair.a() + " altname an-uplink-with-a-long-name"});
  for (const char* name : {"uplink", "an-uplink-with-a-long-name"}) {
    for (const char* hook : {"xdp", "tc", "tc-egress"}) {
      const Answer attached =
          weir({"attach", "-i", name, "--hook", hook, "--count", "ether proto 0x88b5"});
      ASSERT_EQ(attached.status, 0) << attached.err;
      const Answer again = weir({"attach", "-i", pair.a(), "--hook", hook, "--count", "ip"});
      EXPECT_EQ(again.status, 1) << "it is the same interface";
      EXPECT_EQ(only_program(weir({"show", "-j", name}))["interface"], pair.a());
      EXPECT_EQ(only_program(weir({"stats", "-j", name}))["expression"], "ether proto 0x88b5");
      EXPECT_EQ(weir({"detach", name}).status, 0);
      EXPECT_EQ(json::parse(weir({"show", "-j"}).out)["programs"].size(), 0U);
    }
  }
}

TEST(Replace, OfARuleOfEveryPacketNamesIt) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const std::vector<std::string> attach = {"attach", "-i",      pair.a(), "--hook",
                                           "tc",     "--count", "--all"};
  EXPECT_EQ(weir(attach).status, 0);
  const Answer again = weir(attach);
  EXPECT_EQ(again.status, 1);
  EXPECT_NE(again.err.find("count (everything); --replace"), std::string::npos) << again.err;
}

TEST(Replace, OfTheOtherModeNeedsAGap) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  ASSERT_EQ(weir({"attach", "-i", pair.b(), "--drop", "ip"}).status, 0);
  const bool alone =
      json::parse(
          weir({"attach", "-i", pair.b(), "--replace", "-j", "--drop", "ip"}).out)["dispatcher"] ==
      false;
  for (const char* option : {"--replace", "--force"}) {
    const Answer refused =
        weir({"attach", "-i", pair.b(), "--mode", "generic", option, "--drop", "arp"});
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.err.find(alone ? "--with-gap" : "detach"), std::string::npos) << refused.err;
    EXPECT_EQ(only_program(weir({"show", "-j"}))["expression"], "ip");
  }
  if (!alone) {
    return;
  }
  EXPECT_EQ(weir({"attach", "-i", pair.b(), "--mode", "generic", "--replace", "--with-gap",
                  "--drop", "arp"})
                .status,
            0);
  const json shown = only_program(weir({"show", "-j"}));
  EXPECT_EQ(shown["expression"], "arp");
  EXPECT_EQ(shown["mode"], "generic");
}

TEST(InFront, IsSaidByAttach) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  testing::run("tc qdisc add dev " + pair.b() + " clsact");
  testing::run("tc filter add dev " + pair.b() +
               " ingress protocol ip prio 1 bpf bytecode '1,6 0 0 0,' flowid 1:1");
  const Answer attached = weir({"attach", "-j", "-i", pair.b(), "--hook", "tc", "--drop", "ip"});
  EXPECT_EQ(attached.status, 0) << attached.err;
  const json in_front = json::parse(attached.out)["in_front"];
  ASSERT_EQ(in_front.size(), 1U) << attached.out;
  EXPECT_EQ(in_front[0]["kind"], "bpf");
  EXPECT_EQ(in_front[0]["priority"], 1);
  const Answer replaced =
      weir({"attach", "-i", pair.b(), "--hook", "tc", "--replace", "--drop", "ip"});
  EXPECT_EQ(replaced.status, 0) << replaced.err;
  EXPECT_EQ(replaced.err,
            "weir: packets meet the bpf filter at priority 1 first; those dropped or accepted "
            "there do not reach this rule\n");
}

TEST(KernelEngines, FilterAndBenchRunThem) {
  WEIR_NEEDS_KERNEL();
  const std::string capture = WEIR_PCAPS_DIR "/ping.pcap";
  const std::string want =
      json::parse(weir({"filter", "-j", "-r", capture, "icmp"}).out)["matched"].dump();
  for (const char* engine : {"kernel-classic", "kernel-socket", "kernel-tc", "kernel-xdp"}) {
    const Answer answer = weir({"filter", "-j", "--engine", engine, "-r", capture, "icmp"});
    EXPECT_EQ(answer.status, 0) << answer.err;
    EXPECT_EQ(json::parse(answer.out)["matched"].dump(), want) << engine;
  }
  const Answer bench = weir({"bench", "-j", "--rounds", "7", "--slope-rounds", "7", "--live-frames",
                             "1000", "-r", capture, "icmp"});
  ASSERT_EQ(bench.status, 0) << bench.err;
  const json object = json::parse(bench.out);
  for (const json& engine : object["sections"][0]["engines"]) {
    EXPECT_TRUE(engine["skipped"].is_null()) << engine;
    EXPECT_TRUE(engine["ns_per_packet"].is_object()) << engine;
  }
}

TEST(KernelEngines, ACorpusIsMeasuredInTheKernel) {
  WEIR_NEEDS_KERNEL();
  const TemporaryFolder folder;
  const std::string corpus = folder.file("corpus.tsv", "ping\tEN10MB\ticmp\n");
  const Answer answer = weir({"bench", "-j", "--corpus", corpus, "--rounds", "7", "--slope-rounds",
                              "7", "--live-frames", "1000", "-r", WEIR_PCAPS_DIR "/ping.pcap"});
  ASSERT_EQ(answer.status, 0) << answer.err;
  const json report = json::parse(answer.out);
  const json filter = report["filters"][0];
  for (const char* target : {"socket", "tc", "xdp"}) {
    EXPECT_GT(filter["verifier"][target]["processed_instructions"], 0) << target;
    const json greatest = report["greatest"][std::string("verifier/") + target];
    EXPECT_EQ(greatest["filter"], "ping");
    EXPECT_EQ(greatest["number"].get<double>(),
              filter["verifier"][target]["processed_instructions"].get<double>());
    EXPECT_GT(filter["executed"][target]["matching"], 0) << target;
    EXPECT_TRUE(filter["set_up"]["targets"][target]["load_ns"].is_number()) << target;
  }
  for (const json& engine : filter["sections"][0]["engines"]) {
    EXPECT_TRUE(engine["skipped"].is_null()) << engine;
  }
}

}  // namespace
}  // namespace weir::cli
