#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>

#include "tools/bench/measure/verify_results.h"

namespace weir::bench {
namespace {

constexpr std::uint8_t kBytes[] = {0, 1, 2, 3, 4, 5};

// One packet for each byte, of that byte alone.
std::vector<cbpf::Packet> packets() {
  std::vector<cbpf::Packet> all;
  for (const std::uint8_t& byte : kBytes) {
    all.push_back({.captured = {&byte, 1}, .wire_length = 1});
  }
  return all;
}

// Says each packet's byte; at `odd` it does something else.
class Echo : public engine::Prepared {
 public:
  enum class At { kSaysMore, kDies, kNeverEnds };
  explicit Echo(std::uint8_t odd, At at) : odd_(odd), at_(at) {}

  Status run(std::span<const cbpf::Packet> shown, std::span<std::uint32_t> results) override {
    for (std::size_t i = 0; i < shown.size(); ++i) {
      results[i] = shown[i].captured[0];
      if (shown[i].captured[0] == odd_) {
        be_odd(results[i]);
      }
    }
    return {};
  }
  engine::Footprint footprint() const override { return {}; }

 private:
  void be_odd(std::uint32_t& result) const {
    switch (at_) {
      case At::kSaysMore:
        result += 100;
        return;
      case At::kDies:
        std::signal(SIGSEGV, SIG_DFL);  // The sanitizers have their own.
        std::raise(SIGSEGV);
        return;
      case At::kNeverEnds:
        while (true) {
          static_cast<void>(getppid());
        }
    }
  }

  std::uint8_t odd_;
  At at_;
};

constexpr std::array<std::uint32_t, 6> kRight = {0, 1, 2, 3, 4, 5};

TEST(Answers, ThoseThatAreRightAreSaidNothingOf) {
  EXPECT_FALSE(find_wrong(kRight, kRight, true, packets()));
  const std::array<std::uint32_t, 6> matches = {0, 1, 1, 1, 1, 1};
  EXPECT_FALSE(find_wrong(kRight, matches, false, packets()));
  EXPECT_TRUE(find_wrong(kRight, matches, true, packets()));
}

TEST(Answers, TheFirstWrongOneIsNamedAndTheOthersCounted) {
  const std::array<std::uint32_t, 6> given = {0, 1, 7, 3, 0, 5};
  const auto wrong = find_wrong(kRight, given, true, packets());
  ASSERT_TRUE(wrong);
  EXPECT_EQ(to_string(*wrong), "wrong for 2 of 6 packets: packet 3 gives 7 where 2 is right");
  EXPECT_EQ(wrong->bytes, std::vector<std::uint8_t>{2});
}

TEST(Answers, AMachineIsTriedInAProcessOfItsOwn) {
  Echo right(200, Echo::At::kSaysMore);
  const auto nothing = try_machine(right, kRight, packets(), 5);
  ASSERT_TRUE(nothing) << to_string(nothing.error());
  EXPECT_FALSE(*nothing);
  Echo wrong(4, Echo::At::kSaysMore);
  const auto found = try_machine(wrong, kRight, packets(), 5);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(to_string(**found), "wrong for 1 of 6 packets: packet 5 gives 104 where 4 is right");
}

TEST(Answers, ACrashNamesItsPacket) {
  Echo dies(3, Echo::At::kDies);
  const auto found = try_machine(dies, kRight, packets(), 5);
  ASSERT_TRUE(found) << to_string(found.error());
  ASSERT_TRUE(*found);
  EXPECT_TRUE((*found)->crashed);
  EXPECT_EQ(to_string(**found), "wrong for 1 of 4 packets: packet 4 ends the process");
  EXPECT_EQ((*found)->bytes, std::vector<std::uint8_t>{3});
}

TEST(Answers, AMachineThatNeverEndsIsAnError) {
  Echo endless(3, Echo::At::kNeverEnds);
  const auto found = try_machine(endless, kRight, packets(), 1);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "it takes more than 1 s");
}

}  // namespace
}  // namespace weir::bench
