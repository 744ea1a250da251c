#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "tools/bench/measure/bounded_child.h"

namespace weir::bench {
namespace {

TEST(Bounded, GivesWhatTheWorkReturned) {
  const auto answer = run_bounded(5, [] { return std::vector<std::uint8_t>(200'000, 7); });
  ASSERT_TRUE(answer) << to_string(answer.error());
  EXPECT_EQ(*answer, std::vector<std::uint8_t>(200'000, 7));
}

TEST(Bounded, WorkWithoutAnEndIsEnded) {
  const auto answer = run_bounded(1, []() -> std::vector<std::uint8_t> {
    while (true) {
      static_cast<void>(getppid());
    }
  });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(answer.error().message, "it takes more than 1 s");
}

TEST(Bounded, WorkThatDiesIsAnError) {
  const auto answer = run_bounded(5, []() -> std::vector<std::uint8_t> {
    std::raise(SIGTERM);
    return {};
  });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "it ended without an answer");
}

}  // namespace
}  // namespace weir::bench
