#include "translator/jit/code_memory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

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

// Some bytes that tell which program they are.
std::vector<std::uint8_t> code_number(std::uint32_t number) {
  std::vector<std::uint8_t> code(4 + number * 37 % 900);
  for (std::size_t i = 0; i < code.size(); ++i) {
    code[i] = static_cast<std::uint8_t>(number >> 8 * (i % 4));
  }
  return code;
}

bool holds(const CodeMemory& memory, const std::vector<std::uint8_t>& code) {
  const auto* bytes = static_cast<const std::uint8_t*>(memory.address());
  return memory.code_bytes() == code.size() && std::equal(code.begin(), code.end(), bytes);
}

TEST(CodeMemory, NothingAroundItCanBeTouched) {
  const auto pool = std::make_shared<CodePool>();
  for (const auto& memory : {CodeMemory::make(kCode), CodeMemory::make(kCode, pool)}) {
    ASSERT_TRUE(memory.has_value());
    const auto* begin = static_cast<const std::uint8_t*>(memory->address());
    EXPECT_EQ(permissions(begin - 1), "---p");
    EXPECT_EQ(permissions(begin + sysconf(_SC_PAGESIZE)), "---p");
  }
}

TEST(CodePool, GivesPagesAgainAndKeepsThemFromBeingRun) {
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

TEST(CodePool, ManyProgramsKeepTheirCodeWhileOthersComeAndGo) {
  auto pool = std::make_shared<CodePool>();
  std::map<std::uint32_t, CodeMemory> alive;
  for (std::uint32_t number = 0; number < 3000; ++number) {
    auto made = CodeMemory::make(code_number(number), pool);
    ASSERT_TRUE(made.has_value()) << to_string(made.error());
    alive.emplace(number, std::move(*made));
    if (number >= 500) {
      const auto old = alive.find(number * 7 % 500 + (number - 500) / 500 * 500);
      if (old != alive.end()) {
        alive.erase(old);
      }
    }
  }
  pool.reset();
  for (const auto& [number, memory] : alive) {
    EXPECT_TRUE(holds(memory, code_number(number))) << number;
    EXPECT_EQ(permissions(memory.address()), "r-xp");
  }
}

TEST(CodePool, ThreadsShareOne) {
  const auto pool = std::make_shared<CodePool>();
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (std::uint32_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([thread, &pool, &wrong] {
      std::vector<CodeMemory> made;
      for (std::uint32_t i = 0; i < 300; ++i) {
        made.push_back(CodeMemory::make(code_number(thread * 1000 + i), pool).value());
      }
      for (std::uint32_t i = 0; i < 300; ++i) {
        wrong += holds(made[i], code_number(thread * 1000 + i)) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
}

// Both go on with the pool, and neither changes what the other has: not what was made before, whose
// pages a parent that frees it gives away, nor what is made after.
TEST(CodePool, AForkedProcessHasItsOwn) {
  const auto pool = std::make_shared<CodePool>();
  auto before = CodeMemory::make(code_number(1), pool);
  ASSERT_TRUE(before.has_value());
  std::array<int, 2> parent_is_done{};
  ASSERT_EQ(pipe(parent_is_done.data()), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(parent_is_done[1]);
    const auto mine = CodeMemory::make(code_number(200), pool);
    char end = 0;
    const bool waited = read(parent_is_done[0], &end, 1) == 0;
    const auto more = CodeMemory::make(code_number(300), pool);
    const bool right = waited && mine && more && holds(*before, code_number(1)) &&
                       holds(*mine, code_number(200)) && holds(*more, code_number(300)) &&
                       permissions(mine->address()) == "r-xp";
    _exit(right ? 0 : 1);
  }
  close(parent_is_done[0]);
  before = CodeMemory::make(code_number(20), pool);
  std::vector<CodeMemory> made;
  for (std::uint32_t number = 0; number < 200; ++number) {
    made.push_back(CodeMemory::make(code_number(number), pool).value());
  }
  close(parent_is_done[1]);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(holds(*before, code_number(20)));
  for (std::uint32_t number = 0; number < 200; ++number) {
    EXPECT_TRUE(holds(made[number], code_number(number))) << number;
  }
}

TEST(CodePool, CodeOfSeveralPagesIsAllThere) {
  const auto pool = std::make_shared<CodePool>();
  { const auto small = CodeMemory::make(kCode, pool); }  // Its one page is too small.
  const std::vector<std::uint8_t> code(20000, 0xc3);
  const auto memory = CodeMemory::make(code, pool);
  ASSERT_TRUE(memory.has_value());
  EXPECT_TRUE(holds(*memory, code));
  EXPECT_EQ(permissions(static_cast<const std::uint8_t*>(memory->address()) + 19999), "r-xp");
}

TEST(CodeMemory, MoreThanThereIsIsAnError) {
  // So many bytes are not read: there is no room for them.
  const Bytes code(kCode.data(), std::size_t{1} << 50);
  const auto memory = CodeMemory::make(code);
  ASSERT_FALSE(memory.has_value());
  EXPECT_EQ(memory.error().code, ErrorCode::kSystem);
  EXPECT_FALSE(CodeMemory::make(code, std::make_shared<CodePool>()).has_value());
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
