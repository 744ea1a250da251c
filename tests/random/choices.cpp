#include "tests/random/choices.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace weir::random {
namespace {

// The environment variable of that name, from 1 to a million; 1 when it is not set.
std::uint64_t number_or_one(const char* name) {
  const char* text = std::getenv(name);
  const std::uint64_t number = text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
  return std::clamp<std::uint64_t>(number, 1, 1'000'000);
}

}  // namespace

std::uint64_t seed_or(std::uint64_t otherwise) {
  const char* seed = std::getenv("WEIR_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 0) : otherwise;
}

std::uint32_t share_of(std::uint32_t count) {
  const std::uint64_t times = number_or_one("WEIR_TEST_TIMES");
  const std::uint64_t share = number_or_one("WEIR_TEST_SHARE");
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
      count * times / share, 1, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace weir::random
