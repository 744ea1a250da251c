// No packet passes unfiltered while rules are replaced: frames of one ether type arrive without a
// pause, every rule drops them, and a socket that receives what the hook lets pass receives none.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <ostream>
#include <thread>

#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/kernel/programs.h"
#include "tests/random/choices.h"
#include "tests/xdp/rule_programs.h"
#include "xdp/rules/counters.h"
#include "xdp/rules/rules.h"

namespace weir::xdp {
namespace {

constexpr std::uint16_t kType = 0x88b5;
constexpr std::int32_t kXdpPass = 2;
constexpr std::int32_t kXdpTx = 3;
constexpr int kFramesACall = 1024;

struct ReplaceCase {
  RulePlace place;
  const char* name;
};
void PrintTo(const ReplaceCase& test, std::ostream* out) { *out << test.name; }

// Receives the frames of kType that get past XDP and tc ingress: a socket of one protocol, unlike
// one of all, is asked after them.
class Passed {
 public:
  explicit Passed(const std::string& interface)
      : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(kType);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  // Since the last call, those among them for which the socket had no room.
  unsigned count() const {
    tpacket_stats statistics{};
    socklen_t size = sizeof(statistics);
    EXPECT_EQ(getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size), 0);
    return statistics.tp_packets;
  }

 private:
  Fd fd_;
};

// Frames that arrive at weir1: at native XDP those that weir0 sends (a program that returns XDP_TX
// as of weir0), at generic XDP and at tc those of a driver (XDP_PASS as of weir1).
class Generator {
 public:
  explicit Generator(bool native)
      : program_(load(testing::returning(native ? kXdpTx : kXdpPass), ProgramType::kXdp)),
        frame_(testing::frame(kType)) {
    EXPECT_TRUE(program_) << to_string(program_.error());
    context_.data_end = static_cast<std::uint32_t>(frame_.size());
    context_.ingress_ifindex = if_nametoindex(native ? "weir0" : "weir1");
  }
  bool send() {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = frame_.data();
    options.data_size_in = static_cast<std::uint32_t>(frame_.size());
    options.ctx_in = &context_;
    options.ctx_size_in = sizeof(context_);
    options.repeat = kFramesACall;
    options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    return bpf_prog_test_run_opts(program_->fd(), &options) == 0;
  }

 private:
  Result<LoadedProgram> program_;
  std::vector<std::uint8_t> frame_;
  xdp_md context_{};
};

class Replace : public ::testing::TestWithParam<ReplaceCase> {
 protected:
  void SetUp() override { WEIR_NEEDS_KERNEL(); }
  static Status attach(ebpf::Action action, const std::string& expression) {
    const auto program = testing::rule_program(expression, action, GetParam().place.hook);
    if (!program) return tl::make_unexpected(program.error());
    auto rule = attach_rule(*program, GetParam().place, {.replace = true});
    return rule ? rule->keep() : tl::make_unexpected(rule.error());
  }
  // Sends frames until the one rule that is attached has counted some of them.
  static bool meets_frames(Generator& generator) {
    const auto rows = list_rules();
    if (!rows || rows->size() != 1) return false;
    const auto before = program_counters(rows->front().program.id);
    for (int tries = 0; before && generator.send() && tries < 400; ++tries) {
      const auto now = program_counters(rows->front().program.id);
      if (!now) return false;
      if (now->match.packets + now->no_match.packets >
          before->match.packets + before->no_match.packets) {
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
};

TEST_P(Replace, LetsNoPacketThrough) {
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  const Passed passed("weir1");
  Generator generator(GetParam().place.hook == Hook::kXdp &&
                      GetParam().place.mode == XdpMode::kNative);
  {
    // What is not dropped is seen.
    const testing::OnOneProcessor in_order;
    ASSERT_TRUE(attach(ebpf::Action::kCount, "ether proto 0x88b5"));
    ASSERT_TRUE(meets_frames(generator));
    EXPECT_GT(passed.count(), 0U);
    // Frames stay in order: those of the counting rule have all arrived when the next one meets
    // its.
    ASSERT_TRUE(attach(ebpf::Action::kDrop, "ether proto 0x88b5"));
    ASSERT_TRUE(meets_frames(generator));
    passed.count();
  }

  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> calls = 0;
  std::thread traffic([&]() {
    while (!stop && generator.send()) {
      ++calls;
    }
  });
  const std::uint32_t times = random::share_of(100);
  for (std::uint32_t i = 0; i < times; ++i) {
    const Status done = attach(i % 2 == 0 ? ebpf::Action::kDrop : ebpf::Action::kPass,
                               i % 2 == 0 ? "ether proto 0x88b5" : "not ether proto 0x88b5");
    if (!done) {
      ADD_FAILURE() << to_string(done.error());
      break;
    }
  }
  stop = true;
  traffic.join();
  EXPECT_TRUE(meets_frames(generator));
  EXPECT_EQ(passed.count(), 0U) << "of " << calls * kFramesACall << " frames";
  EXPECT_GT(calls, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Hooks, Replace,
    ::testing::Values(ReplaceCase{{"weir1", Hook::kXdp, XdpMode::kNative}, "native"},
                      ReplaceCase{{"weir1", Hook::kXdp, XdpMode::kGeneric}, "generic"},
                      ReplaceCase{{"weir1", Hook::kTcIngress}, "tc"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace weir::xdp
