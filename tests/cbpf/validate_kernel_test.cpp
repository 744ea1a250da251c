// The Linux dialect against Linux: what validate() takes attaches to a socket, what it refuses does
// not. Needs no privilege.

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "cbpf/base/fd.h"
#include "cbpf/validate.h"
#include "tests/random/random_program.h"

namespace weir::cbpf {
namespace {

constexpr std::uint64_t kSeed = 20261122;
constexpr int kPrograms = 20000;

bool attaches(int socket, const Program& program) {
  static_assert(sizeof(sock_filter) == sizeof(Instruction));
  sock_fprog filter{};
  filter.len = static_cast<unsigned short>(program.instructions.size());
  std::vector<sock_filter> code(program.instructions.size());
  std::memcpy(code.data(), program.instructions.data(), code.size() * sizeof(sock_filter));
  filter.filter = code.data();
  return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0;
}

// Changes one field of one instruction of a valid program; the result is often not valid.
void damage(random::Choices& choices, Program& program) {
  const auto size = static_cast<std::uint32_t>(program.instructions.size());
  Instruction& i = program.instructions[choices.below(size)];
  switch (choices.below(5)) {
    case 0:
      i.code = static_cast<std::uint16_t>(choices.below(0x100));
      break;
    case 1:
      i.jt = static_cast<std::uint8_t>(choices.below(size));
      break;
    case 2:
      i.jf = static_cast<std::uint8_t>(choices.below(size));
      break;
    case 3:
      i.k = choices.pick<std::uint32_t>({0, 1, 15, 16, 31, 32, kAncillaryOffset,
                                         kAncillaryOffset + 64, kAncillaryOffset + 2, 0xffffffff});
      break;
    default:
      std::swap(i, program.instructions[choices.below(size)]);
      break;
  }
}

TEST(ValidateKernel, LinuxTakesWhatTheLinuxDialectTakes) {
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM, 0));
  const Program accept{{{kRet | kK, 0, 0, 1}}};
  if (!socket.valid() || !attaches(socket.get(), accept)) {
    ASSERT_EQ(std::getenv("WEIR_REQUIRE_KERNEL"), nullptr) << std::strerror(errno);
    GTEST_SKIP() << "no socket filters here: " << std::strerror(errno);
  }
  const std::uint64_t seed = random::seed_or(kSeed);
  random::Choices choices(seed);
  int refused = 0;
  for (int n = 0; n < kPrograms; ++n) {
    Program program = random::random_program(choices, Dialect::kLinux, {.extensions = 0xffff});
    for (std::uint32_t times = choices.below(3); times > 0; --times) {
      damage(choices, program);
    }
    const Result<ValidatedProgram> valid = validate(program, Dialect::kLinux);
    ASSERT_EQ(valid.has_value(), attaches(socket.get(), program))
        << "seed " << seed << ", program " << n << ": "
        << (valid ? "valid" : to_string(valid.error())) << "\n"
        << random::to_text(program);
    refused += valid ? 0 : 1;
  }
  EXPECT_GT(refused, kPrograms / 10);
  EXPECT_LT(refused, kPrograms * 9 / 10);
}

}  // namespace
}  // namespace weir::cbpf
