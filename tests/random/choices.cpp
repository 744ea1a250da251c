#include "tests/random/choices.h"

#include <cstdlib>

namespace weir::random {

std::uint64_t seed_or(std::uint64_t otherwise) {
  const char* seed = std::getenv("WEIR_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 0) : otherwise;
}

}  // namespace weir::random
