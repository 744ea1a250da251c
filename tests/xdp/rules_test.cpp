#include "xdp/rules/rules.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/kernel/programs.h"
#include "tests/xdp/rule_programs.h"
#include "xdp/hooks/dispatcher.h"
#include "xdp/kernel/inspect.h"
#include "xdp/rules/counters.h"

namespace weir::xdp {
namespace {

using ebpf::Action;
using testing::frame;
using testing::run;
using Types = std::vector<std::uint16_t>;

// Not IP: a bridge may look into that and drop what is no whole header.
constexpr std::uint16_t kOne = 0x88b5;
constexpr std::uint16_t kOther = 0x88b7;
constexpr char kOneExpression[] = "ether proto 0x88b5 or ether proto 0x88b6";

const RulePlace kPlaces[] = {{"weir1", Hook::kXdp, XdpMode::kNative},
                             {"weir1", Hook::kXdp, XdpMode::kGeneric},
                             {"weir1", Hook::kTcIngress},
                             {"weirb0", Hook::kTcEgress}};

// weir0 -> weir1 = bridge = weirb0 -> weirb1: rules stand on weir1 (in) and weirb0 (out).
class Rules : public ::testing::Test {
 protected:
  void SetUp() override {
    WEIR_NEEDS_KERNEL();
    network_.emplace();
    veth_.emplace();
    behind_.emplace("weirb");
    bridge_.emplace("weirbr", std::vector<std::string>{"weir1", "weirb0"});
  }
  // Three frames of 60 bytes, then the sentinel of 60: 0x88b6.
  static Types seen() {
    const testing::PacketSocket from("weir0");
    const testing::PacketSocket to("weirb1");
    return pass_through(from, to, {frame(kOne), frame(kOther), frame(kOne)});
  }
  static Result<AttachedRule> attach(const std::string& expression, Action action,
                                     const RulePlace& place, const RuleOptions& options = {}) {
    const auto program = testing::rule_program(expression, action, place.hook);
    if (!program) return tl::make_unexpected(program.error());
    return attach_rule(*program, place, options);
  }
  static std::vector<StandingRule> listed() {
    auto all = list_rules();
    EXPECT_TRUE(all) << to_string(all.error());
    return all ? *all : std::vector<StandingRule>{};
  }

 private:
  std::optional<testing::NetworkNamespace> network_;
  std::optional<testing::VethPair> veth_;
  std::optional<testing::VethPair> behind_;
  std::optional<testing::Bridge> bridge_;
};

// The kernel frees a program a moment after its last user has gone.
bool goes_away(std::uint32_t program_id) {
  for (int tries = 0; tries < 400; ++tries) {
    if (!open_program(program_id)) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// Does it in a process of its own, as a command would.
template <typename Deed>
bool in_a_child(Deed deed) {
  const pid_t child = fork();
  if (child == 0) {
    _exit(deed() ? 0 : 1);
  }
  int status = -1;
  return waitpid(child, &status, 0) == child && status == 0;
}

TEST_F(Rules, StandAfterTheProcessHasGoneCountAndLeaveNoTrace) {
  for (const RulePlace& place : kPlaces) {
    const std::string where(hook_name(place.hook));
    ASSERT_TRUE(in_a_child([&]() {
      auto attached = attach("ether proto 0x88b5", Action::kDrop, place);
      if (attached) attached->link.release();
      return attached.has_value();
    })) << where;

    EXPECT_EQ(seen(), Types{kOther}) << where;
    const auto rules = listed();
    ASSERT_EQ(rules.size(), 1U) << where;
    const StandingRule& rule = rules.front();
    EXPECT_EQ(rule.interface, place.interface);
    EXPECT_EQ(rule.hook, place.hook);
    EXPECT_TRUE(place.hook != Hook::kXdp || rule.xdp.mode == place.mode);
    ASSERT_TRUE(rule.rule);
    EXPECT_EQ(rule.rule->expression, "ether proto 0x88b5");
    EXPECT_EQ(rule.rule->action, Action::kDrop);
    EXPECT_EQ(rule.rule->hook, place.hook);
    EXPECT_EQ(rule.rule->attached_at, 1790000000U);

    const auto counters = program_counters(rule.program.id);
    ASSERT_TRUE(counters) << to_string(counters.error());
    EXPECT_EQ(counters->match.packets, 2U) << where;
    EXPECT_EQ(counters->match.bytes, 120U) << where;
    EXPECT_EQ(counters->no_match.packets, 2U) << where;  // One of them the sentinel.
    EXPECT_EQ(counters->no_match.bytes, 120U) << where;

    EXPECT_TRUE(in_a_child([&]() {
      const auto detached = detach_rules(place.interface);
      return detached && detached->size() == 1 && detached->front().program.id == rule.program.id;
    })) << where;
    EXPECT_EQ(seen().size(), 3U) << where;
    EXPECT_TRUE(goes_away(rule.program.id)) << where;
    EXPECT_TRUE(listed().empty());
    EXPECT_EQ(run("tc qdisc show").find("clsact"), std::string::npos);
    EXPECT_EQ(run("ip link show").find("xdp"), std::string::npos);
  }
}

TEST_F(Rules, DoWhatTheirActionSays) {
  for (const RulePlace& place : kPlaces) {
    {
      const auto passing = attach(kOneExpression, Action::kPass, place);
      ASSERT_TRUE(passing) << to_string(passing.error()) << passing.error().detail;
      EXPECT_EQ(seen(), (Types{kOne, kOne})) << hook_name(place.hook);
    }
    const auto counting = attach("ether proto 0x88b5", Action::kCount, place);
    ASSERT_TRUE(counting) << to_string(counting.error());
    EXPECT_EQ(seen(), (Types{kOne, kOther, kOne})) << hook_name(place.hook);
    const auto counters = program_counters(counting->program_id);
    ASSERT_TRUE(counters) << to_string(counters.error());
    EXPECT_EQ(counters->match.packets, 2U) << hook_name(place.hook);
  }
}

TEST_F(Rules, OneAHookUnlessReplaced) {
  for (const RulePlace& place : kPlaces) {
    auto first = attach("ether proto 0x88b5", Action::kDrop, place);
    ASSERT_TRUE(first) << to_string(first.error());
    const auto refused = attach("ether proto 0x88b7", Action::kDrop, place);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kBusy);
    EXPECT_EQ(refused.error().message,
              "a rule is already attached at " + std::string(hook_name(place.hook)) + " of '" +
                  place.interface + "': drop ether proto 0x88b5; --replace replaces it");
    EXPECT_EQ(seen(), Types{kOther});
    first->link.release();

    auto forced = attach("ether proto 0x88b7", Action::kDrop, place, {.replace = true});
    ASSERT_TRUE(forced) << to_string(forced.error());
    {
      // Undone, the old rule is back.
      auto undone = std::move(*forced);
      EXPECT_TRUE(undone.link.detach());
      EXPECT_EQ(seen(), Types{kOther}) << hook_name(place.hook);
      ASSERT_EQ(listed().size(), 1U);
      EXPECT_EQ(listed().front().rule->expression, "ether proto 0x88b5");
    }
    forced = attach("ether proto 0x88b7", Action::kDrop, place, {.force = true});
    ASSERT_TRUE(forced) << to_string(forced.error());
    ASSERT_TRUE(forced->keep());
    EXPECT_EQ(seen(), (Types{kOne, kOne})) << hook_name(place.hook);
    EXPECT_EQ(listed().size(), 1U);
    EXPECT_TRUE(detach_rules(place.interface));
    EXPECT_TRUE(listed().empty());
  }
}

TEST_F(Rules, AtDifferentHooksStandTogetherAndAreDetachedApart) {
  std::vector<AttachedRule> rules;
  for (const RulePlace& place : {kPlaces[0], kPlaces[2]}) {
    auto rule = attach("ether proto 0x88b5", Action::kCount, place);
    ASSERT_TRUE(rule) << to_string(rule.error());
    rules.push_back(std::move(*rule));
  }
  EXPECT_EQ(listed().size(), 2U);
  const auto detached = detach_rules("weir1", Hook::kXdp);
  ASSERT_TRUE(detached) << to_string(detached.error());
  EXPECT_EQ(detached->size(), 1U);
  const auto left = listed();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left.front().hook, Hook::kTcIngress);
}

TEST_F(Rules, ForeignProgramsAreListedProtectedAndLeft) {
  const auto stranger = load(testing::on_ether_type(testing::kXdpContext, kOne, 1, 2),
                             ProgramType::kXdp, {.name = "stranger"});
  const auto classifier = load(testing::returning(-1), ProgramType::kTc, {.name = "classifier"});
  ASSERT_TRUE(stranger && classifier);
  const auto at_xdp = attach_xdp("weir1", *stranger);
  const auto at_tc = attach_tc("weir1", TcDirection::kIngress, *classifier);
  ASSERT_TRUE(at_xdp && at_tc);

  const auto rules = listed();
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0].program.name, "stranger");
  EXPECT_FALSE(rules[0].rule);
  EXPECT_EQ(rules[1].program.name, "classifier");
  EXPECT_FALSE(rules[1].rule);
  const auto none = detach_rules("weir1");
  ASSERT_TRUE(none) << to_string(none.error());
  EXPECT_TRUE(none->empty());
  EXPECT_EQ(listed().size(), 2U);
  EXPECT_FALSE(program_counters(rules[0].program.id));

  const auto rule = attach("ether proto 0x88b7", Action::kDrop, kPlaces[0]);
  if (why_no_dispatcher().empty()) {
    ASSERT_TRUE(rule) << to_string(rule.error());
    EXPECT_EQ(seen(), Types{});
  } else {
    ASSERT_FALSE(rule);
    EXPECT_EQ(rule.error().code, ErrorCode::kBusy);
    EXPECT_NE(rule.error().message.find("'stranger'"), std::string::npos);
    EXPECT_EQ(seen(), Types{kOther});
  }
}

TEST_F(Rules, AProgramTheVerifierRefusesTakesNobodysPlace) {
  const auto standing = attach("ether proto 0x88b5", Action::kDrop, kPlaces[0]);
  ASSERT_TRUE(standing) << to_string(standing.error());
  const auto refused =
      attach_rule(testing::unguarded(testing::kXdpContext), kPlaces[0], {.replace = true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kVerifier);
  EXPECT_EQ(seen(), Types{kOther});
}

TEST_F(Rules, ThatCouldNotBeReadBackAreNotAttached) {
  const auto none = attach_rule(testing::returning(2), kPlaces[0]);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidProgram);
  auto program = testing::rule_program("ip", Action::kDrop, Hook::kXdp);
  ASSERT_TRUE(program) << to_string(program.error());
  for (ebpf::Map& map : program->maps) {
    if (map.name == ebpf::kRuleMap) {
      map.data.resize(kLargestArrayValue + 1, 'x');
      map.value_size = kLargestArrayValue + 1;
    }
  }
  const auto large = attach_rule(*program, kPlaces[0]);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(listed().empty());
}

TEST_F(Rules, AFailureHalfWayLeavesNothing) {
  const auto on_all =
      [](const std::vector<std::string>& names) -> Result<std::vector<AttachedRule>> {
    std::vector<AttachedRule> rules;
    for (const std::string& name : names) {
      auto rule = attach("ether proto 0x88b5", Action::kDrop, {name, Hook::kXdp});
      if (!rule) return tl::make_unexpected(rule.error());
      rules.push_back(std::move(*rule));
    }
    return rules;
  };
  const auto rules = on_all({"weir1", "weirnothere"});
  ASSERT_FALSE(rules);
  EXPECT_EQ(rules.error().code, ErrorCode::kNoInterface);
  EXPECT_EQ(rules.error().message, "no interface named 'weirnothere'");
  EXPECT_TRUE(listed().empty());
  EXPECT_EQ(seen().size(), 3U);
}

// What a Result says, in one line.
template <typename T>
std::string said(const Result<T>& result) {
  return result ? "done" : result.error().message;
}

TEST_F(Rules, WithoutThePrivilegeSayWhichIsMissing) {
  const auto tc = load(testing::returning(-1), ProgramType::kTc);
  const auto xdp = load(testing::returning(2), ProgramType::kXdp);
  ASSERT_TRUE(tc && xdp);
  EXPECT_EQ(testing::without_capabilities(
                [&]() { return said(attach_tc("weir1", TcDirection::kIngress, *tc)); }),
            "making the clsact qdisc needs CAP_NET_ADMIN, which this process lacks: the container "
            "or service it runs in has to be given it (docker --cap-add, systemd "
            "AmbientCapabilities=)");
  // Where the kernel has tcx, it does not tell that there is none.
  const std::string nothing = testing::without_capabilities([&]() { return said(list_rules()); });
  EXPECT_TRUE(nothing == "done" ||
              nothing.starts_with("listing tcx programs needs CAP_NET_ADMIN, which"))
      << nothing;

  auto standing = attach_xdp("weir1", *xdp);
  ASSERT_TRUE(standing) << to_string(standing.error());
  EXPECT_NE(testing::without_capabilities([&]() {
              return said(list_rules());
            }).find("needs CAP_SYS_ADMIN, which this process lacks"),
            std::string::npos);
  ASSERT_TRUE(standing->link.detach());
  EXPECT_NE(testing::without_capabilities([&]() {
              return said(attach_xdp("weir1", *xdp));
            }).find("needs CAP_NET_ADMIN, which this process lacks"),
            std::string::npos);
  EXPECT_TRUE(listed().empty());
}

TEST_F(Rules, AreListedWhileOtherInterfacesComeAndGo) {
  auto rule = attach("ether proto 0x88b5", Action::kCount, kPlaces[2]);
  ASSERT_TRUE(rule) << to_string(rule.error());
  std::atomic<bool> stop = false;
  std::thread changes([&]() {  // In the same network namespace: a new thread inherits it.
    while (!stop) {
      testing::run_any(
          "ip link add weirgone type veth peer name weirgone2; tc qdisc add dev weirgone clsact; "
          "ip link del weirgone");
    }
  });
  for (int i = 0; i < 100; ++i) {
    const auto rows = list_rules();
    if (!rows) {
      ADD_FAILURE() << to_string(rows.error());
      break;
    }
    const auto kept = std::find_if(rows->begin(), rows->end(), [](const StandingRule& row) {
      return row.interface == "weir1" && row.rule;
    });
    EXPECT_NE(kept, rows->end());
  }
  stop = true;
  changes.join();
}

TEST_F(Rules, OfAnInterfaceThatIsNotThereAreNone) {
  for (const auto& result : {list_rules("weirnothere"), detach_rules("weirnothere")}) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kNoInterface);
    EXPECT_EQ(result.error().message, "no interface named 'weirnothere'");
  }
}

}  // namespace
}  // namespace weir::xdp
