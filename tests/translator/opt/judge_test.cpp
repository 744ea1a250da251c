// Every pass alone and all together keep the meaning of random programs, and leave functions that
// check() finds right.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "cbpf/interpret.h"
#include "tests/translator/ir/random_subject.h"
#include "translator/ir/build/build.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/text/text.h"
#include "translator/opt/pass.h"

namespace weir::opt {
namespace {

constexpr std::uint64_t kSeed = 20141208;
constexpr int kPrograms = 2000;
constexpr int kPackets = 8;

class Judge : public testing::TestWithParam<cbpf::Dialect> {};

void judge(const cbpf::ValidatedProgram& program, const std::vector<std::string>& passes,
           random::Choices& choices, int packets) {
  auto function = ir::build(program, cbpf::kLinkTypeEthernet);
  ASSERT_TRUE(function.has_value()) << to_string(function.error());
  const ir::Function before = *function;
  PassOptions options;
  options.passes = passes;
  options.check = true;
  const auto reports = run_passes(*function, options);
  ASSERT_TRUE(reports.has_value()) << to_string(reports.error()) << "\n" << ir::print(before);
  for (int i = 0; i < packets; ++i) {
    const random::RandomPacket packet = ir::knowing_packet(choices);
    ASSERT_EQ(ir::evaluate(*function, packet.view()), cbpf::interpret(program, packet.view()))
        << "packet " << to_hex(packet.bytes) << ", before:\n"
        << ir::print(before) << "after:\n"
        << ir::print(*function);
  }
}

TEST_P(Judge, OptimisedFunctionsGiveWhatTheInterpreterGives) {
  const std::uint64_t seed = random::seed_or(kSeed);
  random::Choices choices(seed);
  std::vector<std::vector<std::string>> pipelines = {{}};
  for (const Pass& pass : all_passes()) {
    pipelines.push_back({std::string(pass.name)});
  }
  for (int i = 0; i < kPrograms; ++i) {
    const cbpf::ValidatedProgram program = ir::random_subject(choices, GetParam());
    for (const std::vector<std::string>& passes : pipelines) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", program " + std::to_string(i));
      judge(program, passes, choices, kPackets);
      if (HasFatalFailure()) {
        return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EachDialect, Judge,
                         testing::Values(cbpf::Dialect::kLibpcap, cbpf::Dialect::kLinux));

TEST(JudgeExpressions, OptimisedFunctionsGiveWhatTheInterpreterGives) {
  random::Choices choices(kSeed);
  for (const char* expression :
       {"", "ip", "tcp port 80", "not tcp port 80", "host 192.168.1.1 or net 10.0.0.0/8",
        "ether[1] > tcp[100] or ip", "vlan 100 and tcp", "ip6 protochain 6", "protochain 17",
        "ip protochain 6 or ip6 protochain 17", "tcp[tcpflags] & tcp-syn != 0", "len > 100",
        "ip[ip[0] & 0xf * 4] / ip[1] = 3", "portrange 100-200", "less 64 and icmp6"}) {
    SCOPED_TRACE(expression);
    const cbpf::ValidatedProgram program =
        cbpf::validate(cbpf::compile(expression).value()).value();
    judge(program, {}, choices, 200);
  }
}

}  // namespace
}  // namespace weir::opt
