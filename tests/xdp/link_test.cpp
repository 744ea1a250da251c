#include "xdp/hooks/link.h"

#include <gtest/gtest.h>

namespace weir::xdp {
namespace {

TEST(Link, UndoesAtTheEndOfItsLifeOnce) {
  int undone = 0;
  {
    Link link([&]() -> Status {
      ++undone;
      return {};
    });
    Link moved = std::move(link);
    EXPECT_FALSE(link.attached());  // NOLINT(bugprone-use-after-move): moved from is empty.
    EXPECT_TRUE(moved.attached());
    EXPECT_EQ(undone, 0);
  }
  EXPECT_EQ(undone, 1);
}

TEST(Link, ReleasedIsNotUndone) {
  int undone = 0;
  {
    Link link([&]() -> Status {
      ++undone;
      return {};
    });
    link.release();
  }
  EXPECT_EQ(undone, 0);
}

TEST(Link, DetachTellsHowItWent) {
  Link link([]() -> Status { return fail(ErrorCode::kSystem, "no"); });
  const Status first = link.detach();
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().message, "no");
  EXPECT_TRUE(link.detach());
}

TEST(Link, AssignmentUndoesWhatItHeld) {
  std::string log;
  Link link([&]() -> Status {
    log += "first ";
    return {};
  });
  link = Link([&]() -> Status {
    log += "second ";
    return {};
  });
  EXPECT_EQ(log, "first ");
  link = Link();
  EXPECT_EQ(log, "first second ");
}

}  // namespace
}  // namespace weir::xdp
