#include "translator/jit/code_memory.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <sstream>
#include <string>

namespace weir::jit {
namespace {

// "rwxp" of the mapping that holds an address, as /proc/self/maps says.
std::string permissions(const void* address) {
  std::ifstream maps("/proc/self/maps");
  const auto wanted = reinterpret_cast<std::uint64_t>(address);
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    char dash = 0;
    std::string how;
    fields >> std::hex >> begin >> dash >> end >> how;
    if (wanted >= begin && wanted < end) {
      return how;
    }
  }
  return "none";
}

constexpr std::array<std::uint8_t, 4> kCode = {1, 2, 3, 4};

TEST(CodeMemory, IsExecutableAndNotWritable) {
  const auto memory = CodeMemory::make(kCode);
  ASSERT_TRUE(memory.has_value()) << to_string(memory.error());
  EXPECT_EQ(permissions(memory->address()), "r-xp");
  EXPECT_EQ(memory->code_bytes(), kCode.size());
  const auto* bytes = static_cast<const std::uint8_t*>(memory->address());
  EXPECT_TRUE(std::equal(kCode.begin(), kCode.end(), bytes));
}

TEST(CodeMemory, APoolGivesPagesAgainAndKeepsThemFromBeingRun) {
  const auto pool = std::make_shared<CodePool>();
  const void* first = nullptr;
  {
    const auto memory = CodeMemory::make(kCode, pool);
    ASSERT_TRUE(memory.has_value());
    first = memory->address();
  }
  EXPECT_EQ(permissions(first), "rw-p");
  const auto one = CodeMemory::make(kCode, pool);
  const auto two = CodeMemory::make(kCode, pool);
  ASSERT_TRUE(one.has_value() && two.has_value());
  EXPECT_EQ(one->address(), first);
  EXPECT_NE(two->address(), first);
  EXPECT_EQ(permissions(one->address()), "r-xp");
}

TEST(CodeMemory, CodeOfSeveralPagesIsAllThere) {
  const auto pool = std::make_shared<CodePool>();
  { const auto small = CodeMemory::make(kCode, pool); }  // Its one page is too small.
  const std::vector<std::uint8_t> code(20000, 0xc3);
  const auto memory = CodeMemory::make(code, pool);
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(permissions(static_cast<const std::uint8_t*>(memory->address()) + 19999), "r-xp");
}

TEST(CodeMemory, MovesOwnWhatTheyTook) {
  auto one = CodeMemory::make(kCode);
  ASSERT_TRUE(one.has_value());
  const void* address = one->address();
  const CodeMemory two = std::move(*one);
  EXPECT_EQ(two.address(), address);
  EXPECT_EQ(one->address(), nullptr);
}

}  // namespace
}  // namespace weir::jit
