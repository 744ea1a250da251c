// The capabilities that the commands need, as their help and README.md have them: with these alone
// a command works, and without one of them it names that one and leaves nothing.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>

#include "tests/cli/cli.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"

namespace weir::cli {
namespace {

using nlohmann::json;
using testing::NetworkNamespace;
using testing::VethPair;

constexpr char kCapture[] = WEIR_PCAPS_DIR "/ping.pcap";

const char* name_of(int capability) {
  switch (capability) {
    case CAP_BPF:
      return "CAP_BPF";
    case CAP_NET_ADMIN:
      return "CAP_NET_ADMIN";
    case CAP_PERFMON:
      return "CAP_PERFMON";
    default:
      return "CAP_SYS_ADMIN";
  }
}

// "STATUS WHAT IT SAID ON STDERR" of the command, as a deed for a child process.
std::function<std::string()> running(const std::vector<std::string>& arguments) {
  return [arguments] {
    const Answer answer = weir(arguments);
    return fmt::format("{} {}", answer.status, answer.err);
  };
}

std::vector<std::string> attach(const std::string& hook, const std::string& expression) {
  return {"attach", "-i", "weir1", "--hook", hook, "--count", expression};
}

std::vector<std::string> filter(const std::string& engine, const std::string& expression) {
  return {"filter", "--engine", engine, "-r", kCapture, expression};
}

std::size_t attached() { return json::parse(weir({"show", "-j"}).out)["programs"].size(); }

struct Command {
  const char* name;
  std::vector<std::string> arguments;
  std::vector<int> needs;
  const char* standing = nullptr;  // The hook of a rule that is there before.
  // Had besides where one is missing, so that the command gets to where it needs that one.
  std::vector<int> beside = {};
};
void PrintTo(const Command& command, std::ostream* out) { *out << command.name; }

class Capabilities : public ::testing::TestWithParam<Command> {};

TEST_P(Capabilities, AreThoseItNeedsAndNoFewer) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const Command& command = GetParam();
  const std::size_t before = command.standing == nullptr ? 0 : 1;
  if (before != 0) {
    ASSERT_EQ(weir(attach(command.standing, "arp")).status, 0);
  }
  for (const int missing : command.needs) {
    std::vector<int> fewer = command.needs;
    std::erase(fewer, missing);
    fewer.insert(fewer.end(), command.beside.begin(), command.beside.end());
    const std::string said = testing::with_capabilities(fewer, running(command.arguments));
    const bool alone = said.find(fmt::format("needs {}, which this process lacks: ",
                                             name_of(missing))) != std::string::npos;
    const bool of_several =
        said.find(fmt::format("; this process lacks {}: ", name_of(missing))) != std::string::npos;
    EXPECT_TRUE(said.starts_with("1 weir: ") && (alone || of_several)) << said;
    EXPECT_EQ(attached(), before) << "without " << name_of(missing);
  }
  EXPECT_EQ(testing::with_capabilities(command.needs, running(command.arguments)).substr(0, 2),
            "0 ");
  weir({"detach", "weir1"});
}

const std::vector<int> kNone;
const std::vector<int> kAttach = {CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON};
const std::vector<int> kLook = {CAP_SYS_ADMIN};
const std::vector<int> kChange = {CAP_SYS_ADMIN, CAP_NET_ADMIN};

INSTANTIATE_TEST_SUITE_P(
    Of, Capabilities,
    ::testing::Values(
        Command{"AttachAtXdpOfFixedOffsets",
                attach("xdp", "ip"),
                {CAP_BPF, CAP_NET_ADMIN},
                nullptr,
                {CAP_PERFMON}},
        Command{"AttachAtXdpOfVaryingOffsets", attach("xdp", "tcp port 80"), kAttach},
        Command{"AttachAtTcOfVaryingOffsets", attach("tc", "tcp port 80"), kAttach},
        Command{"AttachAtTcEgressOfVaryingOffsets", attach("tc-egress", "tcp port 80"), kAttach},
        Command{"ReplaceAtXdp",
                {"attach", "-i", "weir1", "--replace", "--count", "tcp port 80"},
                kChange,
                "xdp",
                {CAP_BPF, CAP_PERFMON}},
        Command{"ReplaceAtTc",
                {"attach", "-i", "weir1", "--hook", "tc", "--replace", "--count", "tcp port 80"},
                kChange,
                "tc",
                {CAP_BPF, CAP_PERFMON}},
        Command{"DetachAtXdp", {"detach", "weir1"}, kChange, "xdp"},
        Command{"DetachAtTc", {"detach", "weir1"}, kChange, "tc"},
        Command{"Show", {"show", "weir1"}, kLook, "xdp"},
        Command{"Stats", {"stats", "weir1"}, kLook, "xdp"},
        Command{"KernelClassic", filter("kernel-classic", "tcp port 80"), kNone},
        Command{"KernelTc", filter("kernel-tc", "tcp port 80"), kAttach},
        Command{"KernelXdpOfFixedOffsets",
                filter("kernel-xdp", "icmp"),
                {CAP_BPF, CAP_NET_ADMIN},
                nullptr,
                {CAP_PERFMON}},
        Command{"Compile", {"compile", "--target", "xdp", "tcp port 80"}, kNone},
        Command{"Explain", {"explain", "tcp port 80"}, kNone},
        Command{"Filter", {"filter", "-r", kCapture, "tcp port 80"}, kNone}),
    [](const auto& command) { return std::string(command.param.name); });

// Who may load the simplest programs is a setting.
TEST(CapabilitiesOfSockets, AreAskedForWhereTheSettingSaysSo) {
  WEIR_NEEDS_KERNEL();
  int setting = 0;
  std::ifstream("/proc/sys/kernel/unprivileged_bpf_disabled") >> setting;
  const auto load = running(filter("kernel-socket", "icmp"));
  const std::string without = testing::without_capabilities(load);
  const bool refused =
      without.starts_with("1 weir: ") &&
      without.find("loading a socket filter program needs CAP_BPF, which this process lacks") !=
          std::string::npos;
  EXPECT_EQ(refused, setting != 0) << without;
  EXPECT_EQ(testing::with_capabilities({CAP_BPF}, load).substr(0, 2), "0 ");
}

// Older verifiers follow the way back at tc without the checks before it, to no end.
TEST(CapabilitiesOfFixedOffsetsAtTc, DependOnTheKernel) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const auto command = running(attach("tc", "host 10.0.0.1"));
  const std::string fewer = testing::with_capabilities({CAP_BPF, CAP_NET_ADMIN}, command);
  if (!fewer.starts_with("0 ")) {
    EXPECT_NE(fewer.find("; this process lacks CAP_PERFMON: "), std::string::npos) << fewer;
    EXPECT_EQ(testing::with_capabilities(kAttach, command).substr(0, 2), "0 ");
  }
  EXPECT_EQ(attached(), 1U);
}

// Without CAP_PERFMON the program asks the kernel for the length of a packet.
TEST(CapabilitiesOfFixedOffsetsAtXdp, ChangeNoAnswer) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const TemporaryFolder folder;
  std::string macs = "02:00:00:00:00:00\n";
  for (int i = 1; i < 300; ++i) {
    macs += fmt::format("06:00:00:00:{:x}:{:x}\n", i / 256, i % 256);
  }
  const auto command =
      running(attach("xdp", "len > 80 and ether src host in @" + folder.file("macs", macs)));
  const std::string said = testing::with_capabilities({CAP_BPF, CAP_NET_ADMIN}, command);
  ASSERT_EQ(said.substr(0, 2), "0 ") << said;
  const testing::PacketSocket socket(pair.a());
  for (int i = 0; i < 8; ++i) {
    socket.send(testing::frame(0x88b5, i < 5 ? 100 : 60));
  }
  const json stats = json::parse(weir({"stats", "-j", pair.b()}).out)["programs"][0];
  EXPECT_EQ(stats["match"], json({{"packets", 5}, {"bytes", 500}}));
  EXPECT_EQ(stats["no_match"], json({{"packets", 3}, {"bytes", 180}}));
}

// Capabilities there are of the namespace alone.
TEST(CapabilitiesOfAUserNamespace, AreSaidNotToBeEnough) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  ASSERT_EQ(weir(attach("tc", "arp")).status, 0);
  const std::vector<std::string> commands[] = {
      attach("xdp", "ip"), attach("tc", "ip"), {"detach", "weir1"}, {"show", "weir1"}};
  for (const auto& command : commands) {
    const auto said = testing::as_root_of_user_namespace(running(command));
    if (!said) {
      GTEST_SKIP() << "no user namespaces here";
    }
    EXPECT_TRUE(said->starts_with("1 weir: ")) << *said;
    EXPECT_NE(said->find("in the initial user namespace, and this process is in another one"),
              std::string::npos)
        << *said;
  }
  EXPECT_EQ(attached(), 1U);
}

// The bounding set tells root of a container from a user who may use sudo.
TEST(CapabilitiesOfAUser, AreToBeHadBySudoOrSetcap) {
  WEIR_NEEDS_KERNEL();
  const NetworkNamespace network;
  const VethPair pair;
  const auto said = testing::as_ordinary_user(running(attach("xdp", "ip")));
  EXPECT_NE(said.find("which this process lacks: run it as root (sudo), or give the program what "
                      "it needs (setcap cap_bpf,cap_net_admin,cap_perfmon=ep FILE)\n"),
            std::string::npos)
      << said;
}

}  // namespace
}  // namespace weir::cli
