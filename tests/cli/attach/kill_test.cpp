// weir attach, attach --replace and detach killed at random moments: the interface goes on working
// under the old rule or the new one, and the next detach leaves nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "tests/cli/cli.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/random/choices.h"

namespace weir::cli {
namespace {

using nlohmann::json;
using testing::frame;
using Clock = std::chrono::steady_clock;
using Types = std::vector<std::uint16_t>;

constexpr std::uint16_t kDropped = 0x88b5;  // By both rules.
constexpr std::uint16_t kOther = 0x88b7;    // By the second rule alone.
const std::string kExpressions[] = {"ether proto 0x88b5",
                                    "ether proto 0x88b5 or ether proto 0x88b7"};

// A hook that frames from weir0 to weir1 come by.
struct HookCase {
  const char* hook;
  const char* interface;
};
void PrintTo(const HookCase& place, std::ostream* out) { *out << place.hook; }

class Killed : public ::testing::TestWithParam<HookCase> {
 protected:
  void SetUp() override {
    WEIR_NEEDS_KERNEL();
    network_.emplace();
    veth_.emplace();
    before_ = traces();
    from_.emplace("weir0");
    to_.emplace("weir1");
  }

  static std::vector<std::string> attach(std::size_t expression, bool replace) {
    std::vector<std::string> arguments = {"attach",        "-i",    GetParam().interface, "--hook",
                                          GetParam().hook, "--drop"};
    if (replace) arguments.push_back("--replace");
    arguments.push_back(kExpressions[expression]);
    return arguments;
  }
  static std::vector<std::string> detach() { return {"detach", "-i", GetParam().interface}; }

  // What weir could leave: programs, qdiscs, pins.
  static std::string traces() {
    return testing::run("tc qdisc show") +
           testing::run("ip -o link show | grep -o 'prog/xdp' | cat") +
           testing::run_any("ls /sys/fs/bpf/xdp 2>/dev/null");
  }

  // The rules that are attached; a test failure if there is anything else or nothing can be told.
  static std::vector<std::string> rules() {
    const Answer shown = weir({"show", "-j"});
    EXPECT_EQ(shown.status, 0) << shown.err;
    std::vector<std::string> expressions;
    const json answer = json::parse(shown.out, nullptr, false);
    for (const json& program : answer.is_object() ? answer["programs"] : json::array()) {
      EXPECT_EQ(program["weir"], true) << program;
      expressions.push_back(program["expression"].is_string() ? program["expression"] : json(""));
    }
    return expressions;
  }

  Types seen() const {
    return pass_through(*from_, *to_, {frame(kDropped), frame(kOther), frame(kDropped)});
  }

  // Runs the command and kills it after a random part of the time that such a run takes.
  void kill_somewhere(const std::vector<std::string>& arguments, Clock::duration whole) {
    const auto most = std::chrono::duration_cast<std::chrono::microseconds>(whole).count();
    const auto after =
        std::chrono::microseconds(choices_.below(static_cast<std::uint32_t>(most * 6 / 5)));
    RunningWeir command(arguments);
    std::this_thread::sleep_for(after);
    command.signal(SIGKILL);
    command.wait();
  }

  void expect_clean() {
    const Answer detached = weir(detach());
    EXPECT_EQ(detached.status, 0) << detached.err;
    EXPECT_TRUE(rules().empty());
    EXPECT_EQ(traces(), before_);
    EXPECT_EQ(seen().size(), 3U);
  }

  random::Choices choices_{random::seed_or(8)};

 private:
  std::optional<testing::NetworkNamespace> network_;
  std::optional<testing::VethPair> veth_;
  std::optional<testing::PacketSocket> from_;
  std::optional<testing::PacketSocket> to_;
  std::string before_;
};

TEST_P(Killed, LeavesTheOldRuleOrTheNewOne) {
  const auto begin = Clock::now();
  ASSERT_EQ(weir(attach(0, true)).status, 0);
  const auto whole = Clock::now() - begin;
  const std::uint32_t times = random::share_of(50);
  for (std::uint32_t i = 0; i < times && !HasFailure(); ++i) {
    SCOPED_TRACE("round " + std::to_string(i));
    switch (i % 3) {
      case 0: {  // Replaced: one of the two is there, and no rule is missing.
        ASSERT_EQ(weir(attach(0, true)).status, 0);
        kill_somewhere(attach(1, true), whole);
        const auto left = rules();
        EXPECT_GE(left.size(), 1U);
        EXPECT_LE(left.size(), 2U);  // Two only in libxdp's dispatcher.
        const Types passed = seen();
        EXPECT_EQ(std::count(passed.begin(), passed.end(), kDropped), 0);
        break;
      }
      case 1:  // Detached, or not yet.
        ASSERT_EQ(weir(attach(0, true)).status, 0);
        kill_somewhere(detach(), whole);
        EXPECT_LE(rules().size(), 1U);
        seen();
        expect_clean();
        break;
      case 2:  // Attached for the first time, or not.
        expect_clean();
        kill_somewhere(attach(0, false), whole);
        EXPECT_LE(rules().size(), 1U);
        seen();
        break;
    }
  }
  expect_clean();
}

INSTANTIATE_TEST_SUITE_P(
    Hooks, Killed, ::testing::Values(HookCase{"xdp", "weir1"}, HookCase{"tc-egress", "weir0"}),
    [](const auto& place) {
      return std::string(place.param.hook).substr(0, place.param.hook[0] == 'x' ? 3 : 2);
    });

}  // namespace
}  // namespace weir::cli
