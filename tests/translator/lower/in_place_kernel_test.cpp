// Socket filters that read packets in place, in the running kernel: on whole packets, short ones,
// and ones that lie in pieces.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cbpf/interpret.h"
#include "tests/cbpf/expressions.h"
#include "tests/kernel/kernel.h"
#include "tests/kernel/network.h"
#include "tests/random/random_packet.h"
#include "tests/random/random_program.h"
#include "tests/translator/lower/lowered.h"
#include "xdp/hooks/socket_filter.h"
#include "xdp/kernel/skb_layout.h"
#include "xdp/kernel/test_run.h"

namespace weir::lower {
namespace {

Result<xdp::LoadedProgram> in_place(const cbpf::ValidatedProgram& program,
                                    const ebpf::SkbLayout& layout) {
  const auto extended = lowered(program, TargetId::kSocket, std::nullopt, kEthernet, layout);
  if (!extended) {
    return tl::make_unexpected(extended.error());
  }
  return xdp::load(*extended, xdp::ProgramType::kSocketFilter);
}

class InPlace : public ::testing::Test {
 protected:
  void SetUp() override {
    WEIR_NEEDS_KERNEL();
    auto found = xdp::find_skb_layout();
    if (!found) {
      ASSERT_EQ(found.error().code, ErrorCode::kUnsupported) << to_string(found.error());
      GTEST_SKIP() << to_string(found.error());
    }
    layout_ = *found;
  }

  void expect_same(const cbpf::ValidatedProgram& program, const std::string& what,
                   random::Choices& choices, int packets) {
    const auto in_kernel = in_place(program, layout_);
    ASSERT_TRUE(in_kernel) << what << ": " << to_string(in_kernel.error()) << "\n"
                           << in_kernel.error().detail;
    for (int i = 0; i < packets; ++i) {
      const auto packet = random::random_packet(choices, {.truncate = false, .min_length = 60});
      const auto run = xdp::test_run(*in_kernel, packet.bytes);
      ASSERT_TRUE(run) << to_string(run.error());
      const std::uint32_t wanted = cbpf::interpret(program, packet.view());
      ASSERT_EQ(run->value, wanted) << what << "\non " << to_hex(packet.bytes);
      accepted_ += wanted != 0 ? 1 : 0;
    }
  }

  ebpf::SkbLayout layout_;
  int accepted_ = 0;
};

TEST_F(InPlace, ExpressionsGiveTheInterpretersVerdict) {
  random::Choices choices(random::seed_or(5));
  for (const std::string& expression : cbpf::short_expressions()) {
    expect_same(compiled(expression), expression, choices, 30);
    if (HasFatalFailure()) {
      return;
    }
  }
  EXPECT_GT(accepted_, 100);
}

TEST_F(InPlace, RandomProgramsGiveTheInterpretersVerdict) {
  random::Choices choices(random::seed_or(6));
  for (int i = 0; i < 150; ++i) {
    const auto dialect = choices.chance(50) ? cbpf::Dialect::kLinux : cbpf::Dialect::kLibpcap;
    const auto program = random::random_program(choices, dialect);
    const auto validated = cbpf::validate(program, dialect);
    ASSERT_TRUE(validated);
    expect_same(*validated, random::to_text(program), choices, 10);
    if (HasFatalFailure()) {
      return;
    }
  }
  EXPECT_GT(accepted_, 50);
}

// A packet socket's frame of more than a page lies in its pages but for the link header.
TEST_F(InPlace, PacketsInPiecesAndShortOnesGetTheirVerdict) {
  const testing::NetworkNamespace network;
  const testing::VethPair veth;
  testing::ip({"link set dev " + veth.a() + " mtu 9000", "link set dev " + veth.b() + " mtu 9000"});
  const auto program = compiled("ether proto 0x88b6 or tcp port 80 or ether[5000] = 7");
  const auto in_kernel = in_place(program, layout_);
  ASSERT_TRUE(in_kernel) << to_string(in_kernel.error()) << in_kernel.error().detail;

  std::vector<std::vector<std::uint8_t>> frames;
  for (const std::size_t length :
       {std::size_t{14}, std::size_t{23}, std::size_t{37}, std::size_t{38}, std::size_t{60},
        std::size_t{5000}, std::size_t{5001}, std::size_t{8000}}) {
    for (const std::uint8_t port : {std::uint8_t{80}, std::uint8_t{81}}) {
      for (const std::uint8_t last : {std::uint8_t{7}, std::uint8_t{8}}) {
        auto frame = testing::frame(0x0800, 8000);
        frame[14] = 0x45;
        frame[23] = 6;
        frame[37] = port;
        frame[5000] = last;
        frame.resize(length);
        frames.push_back(frame);
      }
    }
  }
  frames.push_back(testing::frame(testing::kSentinel));
  std::vector<std::size_t> wanted;
  for (const auto& frame : frames) {
    const auto length = static_cast<std::uint32_t>(frame.size());
    if (cbpf::interpret(program, {.captured = frame, .wire_length = length}) != 0) {
      wanted.push_back(frame.size());
    }
  }

  auto socket = xdp::open_packet_socket();
  ASSERT_TRUE(socket) << to_string(socket.error());
  auto link = xdp::attach_socket_filter(socket->get(), *in_kernel);
  ASSERT_TRUE(link) << to_string(link.error());
  link->release();  // It goes with the socket.
  ASSERT_TRUE(xdp::bind_packet_socket(socket->get(), veth.b()));
  const testing::PacketSocket to(std::move(*socket));
  const testing::PacketSocket from(veth.a());
  for (const auto& frame : frames) {
    from.send(frame);
  }
  std::vector<std::size_t> got;
  for (;;) {
    const auto frame = to.receive();
    ASSERT_TRUE(frame) << "no sentinel";
    got.push_back(frame->size());
    if (testing::ether_type(*frame) == testing::kSentinel) {
      break;
    }
  }
  EXPECT_EQ(got, wanted);
  EXPECT_GT(wanted.size(), 8U);
}

}  // namespace
}  // namespace weir::lower
