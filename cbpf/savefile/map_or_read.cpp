#include "cbpf/savefile/map_or_read.h"

#include <ctime>

namespace weir::cbpf {
namespace {

// Before the two are compared, each is tried so often.
constexpr std::uint32_t kTries = 2;
// Of so many pieces, one goes the other way.
constexpr std::uint64_t kTryAgain = 256;
constexpr std::uint64_t kSlowness = 8;
constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

}  // namespace

MapOrRead MapOrReadCosts::choose(std::uint64_t number) const {
  for (const MapOrRead way : {MapOrRead::kMap, MapOrRead::kRead}) {
    if (of(way).tried < kTries) {
      return way;
    }
  }
  const bool other = number % kTryAgain == 0;
  const bool map = of(MapOrRead::kMap).nanoseconds <= of(MapOrRead::kRead).nanoseconds;
  return map != other ? MapOrRead::kMap : MapOrRead::kRead;
}

void MapOrReadCosts::add(MapOrRead way, std::size_t bytes, std::uint64_t nanoseconds) {
  if (bytes == 0) {
    return;
  }
  Cost& cost = costs_[static_cast<std::size_t>(way)];
  const std::uint64_t now = nanoseconds * kMebibyte / bytes;
  const std::uint64_t before = cost.nanoseconds;
  // Of two threads that add at once one may be forgotten.
  cost.nanoseconds = cost.tried == 0 || now < before ? now : before + (now - before) / kSlowness;
  ++cost.tried;
}

std::uint64_t cpu_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace weir::cbpf
