#include "xdp/hooks/xdp_attach.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/kernel/programs.h"
#include "xdp/hooks/dispatcher.h"
#include "xdp/kernel/interface.h"

namespace weir::xdp {
namespace {

using testing::frame;
using testing::run;

// Not IP: a bridge may look into that and drop what is no whole header.
constexpr std::uint16_t kOne = 0x88b5;
constexpr std::uint16_t kOther = 0x88b7;
using Types = std::vector<std::uint16_t>;

constexpr std::int32_t kDrop = 1;  // XDP_DROP.
constexpr std::int32_t kPass = 2;
constexpr XdpMode kModes[] = {XdpMode::kNative, XdpMode::kGeneric};

Result<LoadedProgram> dropping(std::uint16_t type, const std::string& name = "weir_test") {
  return load(testing::on_ether_type(testing::kXdpContext, type, kDrop, kPass), ProgramType::kXdp,
              {.name = name});
}

// Generic XDP runs behind the packet sockets' tap, so what arrives is looked for behind a bridge.
class XdpAttach : public ::testing::Test {
 protected:
  void SetUp() override {
    WEIR_NEEDS_KERNEL();
    network_.emplace();
    veth_.emplace();
    behind_.emplace("weirb");
    bridge_.emplace("weirbr", std::vector<std::string>{"weir1", "weirb0"});
  }
  Types seen() {
    const testing::PacketSocket from("weir0");
    const testing::PacketSocket to("weirb1");
    return pass_through(from, to, {frame(kOne), frame(kOther), frame(kOne)});
  }
  static bool bare() { return run("ip link show dev weir1").find("xdp") == std::string::npos; }

 private:
  std::optional<testing::NetworkNamespace> network_;
  std::optional<testing::VethPair> veth_;
  std::optional<testing::VethPair> behind_;
  std::optional<testing::Bridge> bridge_;
};

TEST_F(XdpAttach, DropsWhatTheProgramSaysUntilTheLinkEnds) {
  const auto program = dropping(kOne);
  ASSERT_TRUE(program) << to_string(program.error());
  for (const XdpMode mode : kModes) {
    {
      const auto attachment = attach_xdp("weir1", *program, {.mode = mode});
      ASSERT_TRUE(attachment) << xdp_mode_name(mode) << ": " << to_string(attachment.error());
      EXPECT_EQ(seen(), Types{kOther}) << xdp_mode_name(mode);
      const auto standing = xdp_programs("weir1");
      ASSERT_TRUE(standing) << to_string(standing.error());
      ASSERT_EQ(standing->size(), 1U);
      EXPECT_EQ(standing->front().program_id, attachment->program_id);
      EXPECT_EQ(standing->front().mode, mode);
      EXPECT_EQ(standing->front().in_dispatcher, attachment->dispatcher);
    }
    EXPECT_TRUE(bare()) << run("ip link show dev weir1");
    EXPECT_EQ(seen().size(), 3U);
  }
}

TEST_F(XdpAttach, SaysInPlainWordsWhenItStandsAlone) {
  const auto program = dropping(kOne);
  ASSERT_TRUE(program) << to_string(program.error());
  const auto attachment = attach_xdp("weir1", *program);
  ASSERT_TRUE(attachment) << to_string(attachment.error());
  EXPECT_EQ(attachment->dispatcher, attachment->fallback.empty());
  EXPECT_EQ(attachment->fallback, why_no_dispatcher());
}

TEST_F(XdpAttach, ReleasedStandsUntilItIsDetached) {
  std::uint32_t id = 0;
  {
    const auto program = dropping(kOne);
    ASSERT_TRUE(program) << to_string(program.error());
    auto attachment = attach_xdp("weir1", *program);
    ASSERT_TRUE(attachment) << to_string(attachment.error());
    id = attachment->program_id;
    attachment->link.release();
  }
  EXPECT_EQ(seen(), Types{kOther});
  const auto standing = xdp_programs("weir1");
  ASSERT_TRUE(standing && standing->size() == 1);
  EXPECT_EQ(standing->front().program_id, id);
  const auto index = interface_index("weir1");
  ASSERT_TRUE(index);
  EXPECT_TRUE(detach_xdp(*index, standing->front()));
  EXPECT_TRUE(bare());
  // Once more: there is nothing left, and that is fine.
  EXPECT_TRUE(detach_xdp(*index, standing->front()));
}

TEST_F(XdpAttach, NamesTheForeignProgramInTheWay) {
  if (!why_no_dispatcher().empty()) {
    const auto foreign = dropping(kOther, "stranger");
    const auto program = dropping(kOne);
    ASSERT_TRUE(foreign && program);
    for (const XdpMode foreign_mode : kModes) {
      for (const XdpMode mode : kModes) {
        auto theirs = attach_xdp("weir1", *foreign, {.mode = foreign_mode});
        ASSERT_TRUE(theirs) << to_string(theirs.error());
        const auto refused = attach_xdp("weir1", *program, {.mode = mode});
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, ErrorCode::kBusy);
        EXPECT_EQ(refused.error().message, "the XDP program 'stranger' (id " +
                                               std::to_string(foreign->info().id) +
                                               ") is already attached to 'weir1'");
        EXPECT_EQ(seen(), (Types{kOne, kOne}));

        if (mode != foreign_mode) {
          const auto gap = attach_xdp("weir1", *program, {.mode = mode, .force = true});
          ASSERT_FALSE(gap);
          EXPECT_EQ(gap.error().code, ErrorCode::kUnsupported);
          EXPECT_NE(gap.error().message.find("--with-gap"), std::string::npos);
          EXPECT_EQ(seen(), (Types{kOne, kOne}));
        }
        auto forced =
            attach_xdp("weir1", *program, {.mode = mode, .force = true, .with_gap = true});
        ASSERT_TRUE(forced) << to_string(forced.error());
        EXPECT_EQ(seen(), Types{kOther});
        // Undone, the stranger is back in its mode.
        EXPECT_TRUE(forced->link.detach());
        EXPECT_EQ(seen(), (Types{kOne, kOne}));
        forced = attach_xdp("weir1", *program, {.mode = mode, .force = true, .with_gap = true});
        ASSERT_TRUE(forced) << to_string(forced.error());
        // The stranger's own link no longer finds its program, and leaves ours alone.
        EXPECT_TRUE(theirs->link.detach());
        EXPECT_EQ(seen(), Types{kOther});
        forced->link.release();
        const auto left = xdp_programs("weir1");
        ASSERT_TRUE(left && left->size() == 1);
        EXPECT_TRUE(detach_xdp(*interface_index("weir1"), left->front()));
      }
    }
  }
}

TEST_F(XdpAttach, TwoProgramsShareADispatcherWhereThereIsOne) {
  const auto one = dropping(kOne, "one");
  const auto two = dropping(kOther, "two");
  ASSERT_TRUE(one && two);
  auto first = attach_xdp("weir1", *one);
  ASSERT_TRUE(first) << to_string(first.error());
  if (const std::string why = why_no_dispatcher(); !why.empty()) {
    EXPECT_EQ(first->fallback, why);
    EXPECT_FALSE(attach_xdp("weir1", *two));
    return;
  }
  ASSERT_TRUE(first->dispatcher) << first->fallback;
  auto second = attach_xdp("weir1", *two);
  ASSERT_TRUE(second) << to_string(second.error());
  ASSERT_TRUE(second->dispatcher) << second->fallback;
  EXPECT_EQ(seen(), Types{});
  const auto standing = xdp_programs("weir1");
  ASSERT_TRUE(standing) << to_string(standing.error());
  EXPECT_EQ(standing->size(), 2U);
  ASSERT_TRUE(first->link.detach());
  EXPECT_EQ(seen(), (Types{kOne, kOne}));
  ASSERT_TRUE(second->link.detach());
  EXPECT_TRUE(bare());
  EXPECT_EQ(testing::run_any("ls /sys/fs/bpf/xdp"), "");
}

TEST_F(XdpAttach, RefusalsSayWhy) {
  const auto program = dropping(kOne);
  ASSERT_TRUE(program) << to_string(program.error());
  const auto nowhere = attach_xdp("weirnothere", *program);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::kNoInterface);
  EXPECT_EQ(nowhere.error().message, "no interface named 'weirnothere'");

  // The bridge itself has no native XDP.
  const auto native = attach_xdp("weirbr", *program);
  ASSERT_FALSE(native);
  EXPECT_EQ(native.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(native.error().message.find("weirbr"), std::string::npos);
  EXPECT_TRUE(attach_xdp("weirbr", *program, {.mode = XdpMode::kGeneric}));
}

TEST_F(XdpAttach, UndoingIsFineWhenTheInterfaceHasGone) {
  const auto program = dropping(kOne);
  ASSERT_TRUE(program) << to_string(program.error());
  auto attachment = attach_xdp("weir1", *program);
  ASSERT_TRUE(attachment) << to_string(attachment.error());
  run("ip link del weir1");
  EXPECT_TRUE(attachment->link.detach());
}

}  // namespace
}  // namespace weir::xdp
