#include "translator/lower/to_classic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cbpf/compile.h"
#include "cbpf/validate.h"
#include "tests/random/random_packet.h"
#include "tests/reference/reference_interpreter.h"
#include "translator/ir/build/build.h"
#include "translator/opt/pass.h"

namespace weir::lower {
namespace {

// The optimised program, which the kernel would take too.
cbpf::Program lowered(const std::string& expression) {
  auto function =
      ir::build(cbpf::validate(cbpf::compile(expression).value()).value(), cbpf::kLinkTypeEthernet)
          .value();
  EXPECT_TRUE(opt::run_passes(function, {}));
  const auto program = to_classic(function);
  EXPECT_TRUE(program) << to_string(program.error());
  EXPECT_TRUE(cbpf::validate(*program, cbpf::Dialect::kLinux));
  return *program;
}

std::string hosts(const std::string& term, std::uint32_t count) {
  std::string list;
  random::Choices choices(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    list += (i == 0 ? "" : " or ") + term;
    for (int byte = 0; byte < 4; ++byte) {
      list += (byte == 0 ? " " : ".") + std::to_string(choices.below(256));
    }
  }
  return list;
}

TEST(ToClassic, AListIsAskedOnceForTheAddressesOfIpAndOfArp) {
  // Once for the source, once for the destination, and a few instructions more.
  EXPECT_LE(lowered(hosts("host", 10)).instructions.size(), 2 * 10U + 12U);
  EXPECT_LE(lowered(hosts("host", 50)).instructions.size(), 2 * 50U + 12U);
}

TEST(ToClassic, NetsOfOneSizeAreOneCompareEach) {
  std::string nets;
  for (int i = 0; i < 36; ++i) {
    nets += (i == 0 ? "" : " or ") + std::string("src net 10.") + std::to_string(7 * i) + ".3.0/24";
    nets += " or src net 172." + std::to_string(3 * i) + ".0.0/16";
  }
  EXPECT_LE(lowered(nets).instructions.size(), 2 * 36U + 16U);
}

// libpcap's optimiser makes count + 9 instructions of these, or 2 * count from about 250 on, which
// packets that do not match run all of.
TEST(ToClassic, ALongListIsSearchedAndNotReadThrough) {
  random::Choices choices(7);
  for (const std::uint32_t count : {100U, 200U, 500U, 1000U}) {
    const cbpf::Program program = lowered(hosts("src host", count));
    EXPECT_LE(program.instructions.size(),
              count <= 200 ? count + count / 64 + 9 : (2 * count - 245) * 7 / 10)
        << count;
    std::uint64_t most = 0;
    for (int i = 0; i < 2000; ++i) {
      const random::RandomPacket packet = random::random_packet(choices);
      most = std::max(most, reference::run(program, cbpf::Dialect::kLibpcap, packet.view()).steps);
    }
    EXPECT_LE(most, 75U) << count;
  }
}

// The first port is loaded for nothing but its bound, and whoever is accepted passes a farther one.
TEST(ToClassic, NoBytesAreAskedForThatAreAskedForLater) {
  EXPECT_LE(
      lowered("udp port 51614 and ip6 or src host 10.0.0.1 and udp[8:4] < 51").instructions.size(),
      14U);
}

// A word is kept while islands stand in between, which returns must not.
TEST(ToClassic, LongProgramsKeepWords) {
  for (const std::uint32_t count : {150U, 300U, 600U}) {
    EXPECT_LE(lowered(hosts("host", count)).instructions.size(), 2 * count + count / 4 + 20);
  }
}

}  // namespace
}  // namespace weir::lower
