#include "tests/random/choices.h"

#include <algorithm>
#include <cstdlib>

namespace weir::random {

std::uint64_t seed_or(std::uint64_t otherwise) {
  const char* seed = std::getenv("WEIR_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 0) : otherwise;
}

std::uint32_t share_of(std::uint32_t count) {
  const char* share = std::getenv("WEIR_TEST_SHARE");
  const auto part = share != nullptr ? std::strtoul(share, nullptr, 10) : 1;
  return std::max(1U, count / static_cast<std::uint32_t>(std::clamp(part, 1UL, 1'000'000UL)));
}

}  // namespace weir::random
