// Where the random generators of the tests get their decisions: from a seed, which a test prints
// when it fails, or from a string of bytes, which a fuzzer changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "cbpf/base/bytes.h"

namespace weir::random {

class Choices {
 public:
  explicit Choices(std::uint64_t seed) : state_(seed) {}
  // Takes bytes from the front until there are none; from then on every choice is the first. The
  // bytes must outlive the object.
  explicit Choices(Bytes bytes) : bytes_(bytes), from_bytes_(true) {}

  // Any number.
  std::uint32_t any() { return from_bytes_ ? take(4) : static_cast<std::uint32_t>(next()); }
  // A number from 0 to n - 1; n is not 0.
  std::uint32_t below(std::uint32_t n) {
    return (from_bytes_ ? take(n <= 0x100 ? 1 : n <= 0x10000 ? 2 : 4) : any()) % n;
  }
  // Yes, `percent` times in a hundred.
  bool chance(std::uint32_t percent) { return 99 - below(100) < percent; }
  // One of the list.
  template <typename T>
  T pick(std::initializer_list<T> list) {
    return list.begin()[below(static_cast<std::uint32_t>(list.size()))];
  }

 private:
  // SplitMix64 (Steele, Lea & Flood, OOPSLA 2014): the same numbers on every platform.
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) >> 16;
  }
  std::uint32_t take(std::size_t count) {
    std::uint32_t value = 0;
    for (; count > 0 && !bytes_.empty(); --count) {
      value = value << 8 | bytes_.front();
      bytes_ = bytes_.subspan(1);
    }
    return value;
  }

  std::uint64_t state_ = 0;
  Bytes bytes_;
  bool from_bytes_ = false;
};

// The seed of a test run: the environment variable WEIR_SEED when it is set, else `otherwise`. A
// test that fails prints the seed it ran with.
std::uint64_t seed_or(std::uint64_t otherwise);

// How often a random test shall try what it would try `count` times in an ordinary run: where the
// environment variable WEIR_TEST_SHARE is n (under sanitizers, in an emulated guest), an n-th of
// it, and at least once; where WEIR_TEST_TIMES is n (a long search), n times it.
std::uint32_t share_of(std::uint32_t count);

}  // namespace weir::random
