#include "xdp/hooks/tc.h"

#include <gtest/gtest.h>

#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/kernel/programs.h"
#include "xdp/kernel/interface.h"

namespace weir::xdp {
namespace {

using testing::frame;
using testing::run;

// Not IP: a bridge may look into that and drop what is no whole header.
constexpr std::uint16_t kOne = 0x88b5;
constexpr std::uint16_t kOther = 0x88b7;

constexpr std::int32_t kUnspec = -1;  // TC_ACT_UNSPEC.
constexpr std::int32_t kOk = 0;
constexpr std::int32_t kShot = 2;

using Types = std::vector<std::uint16_t>;

Types seen(const testing::VethPair& veth) {
  const testing::PacketSocket from(veth.a());
  const testing::PacketSocket to(veth.b());
  return pass_through(from, to, {frame(kOne), frame(kOther), frame(kOne)});
}

Result<LoadedProgram> dropping(std::uint16_t type, std::int32_t otherwise = kOk) {
  return load(testing::on_ether_type(testing::kTcContext, type, kShot, otherwise), ProgramType::kTc,
              {.name = "weir_test"});
}

std::string qdiscs(const std::string& interface) { return run("tc qdisc show dev " + interface); }

TEST(Tc, EgressDropsWhatTheProgramSays) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const auto program = dropping(kOne);
  ASSERT_TRUE(program) << to_string(program.error());
  {
    const auto link = attach_tc(veth.a(), TcDirection::kEgress, *program);
    ASSERT_TRUE(link) << to_string(link.error());
    EXPECT_EQ(seen(veth), Types{kOther});
    EXPECT_NE(run("tc filter show dev weir0 egress").find("direct-action"), std::string::npos);
    EXPECT_NE(qdiscs("weir0").find("clsact"), std::string::npos);
  }
  EXPECT_EQ(seen(veth).size(), 3U);
  EXPECT_EQ(qdiscs("weir0").find("clsact"), std::string::npos);
}

TEST(Tc, IngressDropsWhatTheProgramSays) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const testing::VethPair behind("weirb");
  const testing::Bridge bridge("weirbr", {veth.b(), behind.a()});
  const auto bridged = [&]() {
    const testing::PacketSocket from(veth.a());
    const testing::PacketSocket to(behind.b());
    return pass_through(from, to, {frame(kOne), frame(kOther), frame(kOne)});
  };
  const auto program = dropping(kOne);
  ASSERT_TRUE(program) << to_string(program.error());
  {
    const auto link = attach_tc(veth.b(), TcDirection::kIngress, *program);
    ASSERT_TRUE(link) << to_string(link.error());
    EXPECT_EQ(bridged(), Types{kOther});
  }
  EXPECT_EQ(bridged().size(), 3U);
  EXPECT_EQ(qdiscs("weir1").find("clsact"), std::string::npos);
}

TEST(Tc, ClassicInDirectActionDropsToo) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const cbpf::Program program{
      {{0x28, 0, 0, 12}, {0x15, 0, 1, kOther}, {6, 0, 0, kShot}, {6, 0, 0, kOk}}};
  {
    const auto link =
        attach_tc_classic(veth.a(), TcDirection::kEgress, program, TcClassic::kDirectAction);
    ASSERT_TRUE(link) << to_string(link.error());
    EXPECT_EQ(seen(veth), (Types{kOne, kOne}));
  }
  EXPECT_EQ(seen(veth).size(), 3U);
}

TEST(Tc, ClassicThatDoesNotMatchLeavesItToTheNext) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const auto dropper = dropping(kOne);
  ASSERT_TRUE(dropper) << to_string(dropper.error());
  const auto last = attach_tc(veth.a(), TcDirection::kEgress, *dropper);
  ASSERT_TRUE(last) << to_string(last.error());
  // In front of it, one that matches nothing: the dropper decides.
  const auto none =
      attach_tc_classic(veth.a(), TcDirection::kEgress, {{{6, 0, 0, 0}}}, TcClassic::kMatch);
  ASSERT_TRUE(none) << to_string(none.error());
  EXPECT_EQ(seen(veth), Types{kOther});
  // And one that matches everything: nothing behind it is asked.
  const auto all =
      attach_tc_classic(veth.a(), TcDirection::kEgress, {{{6, 0, 0, 1}}}, TcClassic::kMatch);
  ASSERT_TRUE(all) << to_string(all.error());
  EXPECT_EQ(seen(veth).size(), 3U);
}

TEST(Tc, SeveralProgramsStandOneBeforeTheOther) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const auto one = dropping(kOne, kUnspec);
  const auto two = dropping(kOther, kUnspec);
  ASSERT_TRUE(one && two);
  auto first = attach_tc(veth.a(), TcDirection::kEgress, *one);
  auto second = attach_tc(veth.a(), TcDirection::kEgress, *two);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(seen(veth), Types{});

  const auto index = interface_index(veth.a());
  ASSERT_TRUE(index);
  const auto filters = tc_filters(*index, TcDirection::kEgress);
  ASSERT_TRUE(filters) << to_string(filters.error());
  ASSERT_EQ(filters->size(), 2U);
  EXPECT_EQ((*filters)[0].program_id, two->info().id);
  EXPECT_EQ((*filters)[1].program_id, one->info().id);
  EXPECT_TRUE((*filters)[0].made_qdisc);
  EXPECT_TRUE((*filters)[1].made_qdisc);

  // The one that made the qdisc goes first; the other keeps it and removes it.
  ASSERT_TRUE(first->detach());
  EXPECT_EQ(seen(veth), (Types{kOne, kOne}));
  ASSERT_TRUE(second->detach());
  EXPECT_EQ(seen(veth).size(), 3U);
  EXPECT_EQ(qdiscs("weir0").find("clsact"), std::string::npos);
}

TEST(Tc, ForeignQdiscAndFiltersStay) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  run("tc qdisc add dev weir0 clsact && tc filter add dev weir0 egress prio 50000 protocol all "
      "bpf bytecode '1,6 0 0 0,' flowid 1:1");
  const auto program = dropping(kOne);
  ASSERT_TRUE(program) << to_string(program.error());
  {
    const auto link = attach_tc(veth.a(), TcDirection::kEgress, *program);
    ASSERT_TRUE(link) << to_string(link.error());
    EXPECT_EQ(seen(veth), Types{kOther});
  }
  EXPECT_NE(run("tc filter show dev weir0 egress").find("bytecode"), std::string::npos);
  EXPECT_NE(qdiscs("weir0").find("clsact"), std::string::npos);
}

TEST(Tc, UndoingIsFineWhenItIsAlreadyGone) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const auto program = dropping(kOne);
  ASSERT_TRUE(program) << to_string(program.error());
  auto link = attach_tc(veth.a(), TcDirection::kEgress, *program);
  ASSERT_TRUE(link) << to_string(link.error());
  run("tc qdisc del dev weir0 clsact");
  EXPECT_TRUE(link->detach());

  auto other = attach_tc(veth.a(), TcDirection::kEgress, *program);
  ASSERT_TRUE(other) << to_string(other.error());
  run("ip link del weir0");
  EXPECT_TRUE(other->detach());
}

TEST(Tc, RefusalsLeaveNoQdiscBehind) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const auto program = dropping(kOne);
  ASSERT_TRUE(program) << to_string(program.error());
  const auto nowhere = attach_tc("weirnothere", TcDirection::kIngress, *program);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::kNoInterface);
  EXPECT_EQ(nowhere.error().message, "no interface named 'weirnothere'");

  const auto wrong_type = load(testing::returning(2), ProgramType::kXdp);
  ASSERT_TRUE(wrong_type) << to_string(wrong_type.error());
  const auto refused = attach_tc(veth.a(), TcDirection::kIngress, *wrong_type);
  ASSERT_FALSE(refused);
  EXPECT_EQ(qdiscs("weir0").find("clsact"), std::string::npos);
}

// Two interfaces, the second of which is not there: the first link goes with the failure.
Result<std::vector<Link>> attach_everywhere(const LoadedProgram& program,
                                            const std::vector<std::string>& interfaces) {
  std::vector<Link> links;
  for (const std::string& interface : interfaces) {
    auto link = attach_tc(interface, TcDirection::kEgress, program);
    if (!link) {
      return tl::make_unexpected(link.error());
    }
    links.push_back(std::move(*link));
  }
  return links;
}

TEST(Tc, AFailureHalfWayLeavesNothing) {
  WEIR_NEEDS_KERNEL();
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const auto program = dropping(kOne);
  ASSERT_TRUE(program) << to_string(program.error());
  const auto links = attach_everywhere(*program, {veth.a(), veth.b(), "weirnothere"});
  ASSERT_FALSE(links);
  EXPECT_EQ(links.error().code, ErrorCode::kNoInterface);
  EXPECT_EQ(qdiscs("weir0").find("clsact"), std::string::npos);
  EXPECT_EQ(qdiscs("weir1").find("clsact"), std::string::npos);
}

}  // namespace
}  // namespace weir::xdp
