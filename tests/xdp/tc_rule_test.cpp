// The place of weir's rule at tc, beside foreign qdiscs, filters and tcx programs.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/kernel/programs.h"
#include "tests/xdp/rule_programs.h"
#include "xdp/hooks/tcx.h"
#include "xdp/rules/rules.h"

namespace weir::xdp {
namespace {

using ebpf::Action;
using testing::run;

constexpr std::int32_t kUnspec = -1;  // TC_ACT_UNSPEC.

class TcRule : public ::testing::Test {
 protected:
  void SetUp() override {
    WEIR_NEEDS_KERNEL();
    network_.emplace();
    veth_.emplace();
  }
  static Result<AttachedRule> attach(Hook hook, const RuleOptions& options = {},
                                     const std::string& expression = "ether proto 0x88b5") {
    const auto program = testing::rule_program(expression, Action::kDrop, hook);
    EXPECT_TRUE(program) << to_string(program.error());
    return attach_rule(*program, {"weir0", hook}, options);
  }
  // Attaches and keeps; true when that was possible.
  static bool keep(Hook hook, const RuleOptions& options = {}) {
    auto rule = attach(hook, options);
    if (!rule) {
      ADD_FAILURE() << to_string(rule.error());
      return false;
    }
    return rule->keep().has_value();
  }
  static std::vector<StandingRule> rows() {
    auto all = list_rules("weir0");
    EXPECT_TRUE(all) << to_string(all.error());
    return all ? *all : std::vector<StandingRule>{};
  }
  static std::size_t detach(std::optional<Hook> hook = {}) {
    const auto gone = detach_rules("weir0", hook);
    EXPECT_TRUE(gone) << to_string(gone.error());
    return gone ? gone->size() : 0;
  }
  static void add_foreign(const std::string& place) {
    run("tc filter add dev weir0 ingress " + place + " bpf bytecode '1,6 0 0 0,' flowid 1:1");
  }
  static std::string qdiscs() { return run("tc qdisc show dev weir0"); }
  static bool has_clsact() { return qdiscs().find("clsact") != std::string::npos; }

 private:
  std::optional<testing::NetworkNamespace> network_;
  std::optional<testing::VethPair> veth_;
};

TEST_F(TcRule, HasNoEgressAtAPlainIngressQdisc) {
  run("tc qdisc add dev weir0 ingress");
  const auto refused = attach(Hook::kTcEgress);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("use --hook tc or xdp"), std::string::npos)
      << refused.error().message;
  EXPECT_EQ(run("tc filter show dev weir0 ingress"), "");

  // Ingress is possible, and is listed once, at ingress.
  ASSERT_TRUE(keep(Hook::kTcIngress));
  ASSERT_EQ(rows().size(), 1U);
  EXPECT_EQ(rows().front().hook, Hook::kTcIngress);
  const auto egress = tc_filters(if_nametoindex("weir0"), TcDirection::kEgress);
  ASSERT_TRUE(egress) << to_string(egress.error());
  EXPECT_TRUE(egress->empty());
  EXPECT_EQ(detach(), 1U);
  EXPECT_NE(qdiscs().find("ingress"), std::string::npos) << "a foreign qdisc stays";
}

TEST_F(TcRule, ComesBeforeForeignFilters) {
  run("tc qdisc add dev weir0 clsact");
  add_foreign("protocol ip prio 3");
  const auto rule = attach(Hook::kTcIngress);
  ASSERT_TRUE(rule) << to_string(rule.error());
  EXPECT_TRUE(rule->in_front.empty());
  ASSERT_EQ(rows().size(), 1U);
  EXPECT_EQ(rows().front().tc.priority, 1U);
}

TEST_F(TcRule, NamesTheFilterThatHasPriorityOne) {
  run("tc qdisc add dev weir0 clsact");
  add_foreign("protocol ip prio 1");
  add_foreign("protocol all prio 4");
  auto rule = attach(Hook::kTcIngress);
  ASSERT_TRUE(rule) << to_string(rule.error());
  ASSERT_EQ(rule->in_front.size(), 1U);
  EXPECT_EQ(in_front_text(rule->in_front.front()), "the bpf filter at priority 1");
  ASSERT_EQ(rows().size(), 1U);
  EXPECT_EQ(rows().front().tc.priority, 2U);
  ASSERT_TRUE(rule->keep());
  // Detaching leaves what is not weir's.
  EXPECT_EQ(detach(), 1U);
  EXPECT_TRUE(has_clsact());
  EXPECT_NE(run("tc filter show dev weir0 ingress").find("bytecode"), std::string::npos);
}

TEST_F(TcRule, ListsTcxProgramsAndNamesThemInFront) {
  const auto program = load(testing::returning(kUnspec), ProgramType::kTc, {.name = "first"});
  ASSERT_TRUE(program) << to_string(program.error());
  const auto index = static_cast<int>(if_nametoindex("weir0"));
  constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
  if (bpf_prog_attach(program->fd(), index, kTcxIngress, 0) != 0) {
    EXPECT_TRUE(tcx_programs(static_cast<std::uint32_t>(index), TcDirection::kIngress)->empty());
    GTEST_SKIP() << "this kernel has no tcx";
  }
  ASSERT_TRUE(keep(Hook::kTcIngress));
  const auto all = rows();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(all[0].tcx);
  EXPECT_FALSE(all[0].rule);
  EXPECT_EQ(all[0].program.name, "first");
  EXPECT_FALSE(all[1].tcx);
  ASSERT_EQ(all[1].in_front.size(), 1U);
  EXPECT_EQ(in_front_text(all[1].in_front.front()),
            "the tcx program 'first' (id " + std::to_string(program->info().id) + ")");
  // At egress there is none.
  const auto egress = attach(Hook::kTcEgress);
  ASSERT_TRUE(egress) << to_string(egress.error());
  EXPECT_TRUE(egress->in_front.empty());
  EXPECT_EQ(detach(Hook::kTcIngress), 1U);
  EXPECT_EQ(bpf_prog_detach2(program->fd(), index, kTcxIngress), 0);
}

TEST_F(TcRule, IsReplacedInItsPlace) {
  // As one that is not at the place where weir puts it now: of the kernel's choice.
  const auto old = testing::rule_program("ether proto 0x88b7", Action::kDrop, Hook::kTcIngress);
  const auto loaded = load(*old, ProgramType::kTc, {.name = "weir_rule"});
  ASSERT_TRUE(loaded) << to_string(loaded.error());
  auto link = attach_tc("weir0", TcDirection::kIngress, *loaded);
  ASSERT_TRUE(link) << to_string(link.error());
  link->release();
  const auto before = rows();
  ASSERT_EQ(before.size(), 1U);
  EXPECT_FALSE(attach(Hook::kTcIngress)) << "a rule that is there is an error";
  ASSERT_TRUE(keep(Hook::kTcIngress, {.replace = true}));
  const auto after = rows();
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(after[0].tc.priority, before[0].tc.priority);
  EXPECT_EQ(after[0].tc.handle, before[0].tc.handle);
  EXPECT_EQ(after[0].rule->expression, "ether proto 0x88b5");
  EXPECT_EQ(detach(), 1U);
  EXPECT_FALSE(has_clsact());
}

TEST_F(TcRule, ReplacesAllThatRacesOfOlderVersionsLeft) {
  for (int i = 0; i < 2; ++i) {
    const auto old = testing::rule_program("ether proto 0x88b7", Action::kDrop, Hook::kTcEgress);
    const auto loaded = load(*old, ProgramType::kTc, {.name = "weir_rule"});
    auto link = attach_tc("weir0", TcDirection::kEgress, *loaded);
    ASSERT_TRUE(link) << to_string(link.error());
    link->release();
  }
  ASSERT_EQ(rows().size(), 2U);
  ASSERT_TRUE(keep(Hook::kTcEgress, {.replace = true}));
  ASSERT_EQ(rows().size(), 1U);
  EXPECT_EQ(rows().front().rule->expression, "ether proto 0x88b5");
}

TEST_F(TcRule, RemovesItsClsactWithTheLastInAnyOrder) {
  for (const Hook first : {Hook::kTcIngress, Hook::kTcEgress}) {
    const Hook second = first == Hook::kTcIngress ? Hook::kTcEgress : Hook::kTcIngress;
    ASSERT_TRUE(keep(Hook::kTcIngress));
    ASSERT_TRUE(keep(Hook::kTcEgress));
    EXPECT_EQ(detach(first), 1U);
    EXPECT_TRUE(has_clsact());
    EXPECT_EQ(detach(second), 1U);
    EXPECT_FALSE(has_clsact());
  }
}

TEST_F(TcRule, KeepsTheMarkWhenItIsReplaced) {
  ASSERT_TRUE(keep(Hook::kTcIngress));
  ASSERT_TRUE(keep(Hook::kTcIngress, {.replace = true}));
  EXPECT_EQ(detach(), 1U);
  EXPECT_FALSE(has_clsact());
}

// A foreign tool that takes weir's place keeps it: undoing and detaching look at the program first.
TEST_F(TcRule, LeavesAForeignFilterThatTookItsPlace) {
  const auto take_over = []() {
    run("tc filter replace dev weir0 ingress protocol all prio 1 handle 0x77656972 "
        "bpf bytecode '1,6 0 0 0,' flowid 1:1");
  };
  const auto is_left = []() {
    return run("tc filter show dev weir0 ingress").find("bytecode") != std::string::npos;
  };
  {
    const auto rule = attach(Hook::kTcIngress);
    ASSERT_TRUE(rule) << to_string(rule.error());
    take_over();
  }
  EXPECT_TRUE(is_left());
  run("tc filter del dev weir0 ingress");
  ASSERT_TRUE(keep(Hook::kTcIngress));
  {
    const auto rule = attach(Hook::kTcIngress, {.replace = true});
    ASSERT_TRUE(rule) << to_string(rule.error());
    take_over();
  }
  EXPECT_TRUE(is_left());
  EXPECT_EQ(detach(), 0U);
  EXPECT_TRUE(is_left());
}

TEST_F(TcRule, RemovesAnEmptyClsact) {
  // What a weir leaves that is killed between making it and attaching.
  run("tc qdisc add dev weir0 clsact");
  EXPECT_EQ(detach(), 0U);
  EXPECT_FALSE(has_clsact());
  // And when the next one attached in it.
  run("tc qdisc add dev weir0 clsact");
  ASSERT_TRUE(keep(Hook::kTcIngress));
  EXPECT_EQ(detach(), 1U);
  EXPECT_FALSE(has_clsact());
}

TEST_F(TcRule, LeavesAClsactThatSharesABlock) {
  run("tc qdisc add dev weir0 ingress_block 22 clsact");
  EXPECT_EQ(detach(), 0U);
  EXPECT_TRUE(has_clsact());
}

// Processes that all attach at once: one succeeds, the others see its rule.
TEST_F(TcRule, IsAttachedByOneOfManyThatRace) {
  constexpr int kRacers = 6;
  for (const Hook hook : {Hook::kTcIngress, Hook::kTcEgress, Hook::kXdp}) {
    std::vector<pid_t> racers;
    for (int i = 0; i < kRacers; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        auto rule = attach(hook);
        if (!rule) {
          _exit(rule.error().code == ErrorCode::kBusy ? 1 : 2);
        }
        _exit(rule->keep() ? 0 : 3);
      }
      racers.push_back(child);
    }
    int attached = 0;
    int busy = 0;
    for (const pid_t racer : racers) {
      int status = 0;
      ASSERT_EQ(waitpid(racer, &status, 0), racer);
      attached += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
      busy += WIFEXITED(status) && WEXITSTATUS(status) == 1 ? 1 : 0;
    }
    EXPECT_EQ(attached, 1) << hook_name(hook);
    EXPECT_EQ(busy, kRacers - 1) << hook_name(hook);
    EXPECT_EQ(rows().size(), 1U) << hook_name(hook);
    // Detaching in a race is no error for any of them.
    racers.clear();
    for (int i = 0; i < kRacers; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        _exit(detach_rules("weir0") ? 0 : 1);
      }
      racers.push_back(child);
    }
    for (const pid_t racer : racers) {
      int status = 0;
      ASSERT_EQ(waitpid(racer, &status, 0), racer);
      EXPECT_EQ(status, 0) << hook_name(hook);
    }
    EXPECT_TRUE(rows().empty());
    EXPECT_FALSE(has_clsact());
  }
}

TEST_F(TcRule, WaitsForALockThatEndsWithItsHolder) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto lock = HookLock::take("weir0", if_nametoindex("weir0"), LockedHook::kTc);
    static_cast<void>(write(ends[1], lock ? "y" : "n", 1));
    pause();
    _exit(0);
  }
  char said = 0;
  ASSERT_EQ(read(ends[0], &said, 1), 1);
  EXPECT_EQ(said, 'y');
  close(ends[0]);
  close(ends[1]);
  const pid_t killer = fork();
  if (killer == 0) {
    usleep(100'000);
    kill(child, SIGKILL);
    _exit(0);
  }
  EXPECT_TRUE(keep(Hook::kTcIngress));
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(waitpid(killer, nullptr, 0), killer);
}

}  // namespace
}  // namespace weir::xdp
