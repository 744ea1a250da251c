// Sets of numbers and of keys made of several words: what ten thousand hosts are in the IR.
#pragma once

#include <compare>
#include <cstdint>
#include <utility>
#include <vector>

namespace weir::ir {

inline constexpr std::uint32_t kMaxWords = 4;  // An IPv6 address.

// Up to four words of 32 bits as one number, the first word the most significant: a port, an IPv4
// address, a MAC address (its 16 and 32 bits), an IPv6 address.
struct Key {
  std::uint64_t upper = 0;
  std::uint64_t lower = 0;

  static constexpr Key of(std::uint32_t word) { return {.lower = word}; }
  // The largest key of so many words.
  static constexpr Key last(std::uint32_t words) {
    constexpr std::uint64_t kAll = ~std::uint64_t{0};
    return {.upper = words <= 2   ? 0
                     : words == 3 ? kAll >> 32
                                  : kAll,
            .lower = words == 1 ? kAll >> 32 : kAll};
  }

  // The key that has one word more, at its end.
  constexpr Key append(std::uint32_t word) const {
    return {.upper = upper << 32 | lower >> 32, .lower = lower << 32 | word};
  }
  // The key without its last `words` words.
  constexpr Key without(std::uint32_t words) const {
    switch (words) {
      case 0:
        return *this;
      case 1:
        return {.upper = upper >> 32, .lower = upper << 32 | lower >> 32};
      case 2:
        return {.lower = upper};
      case 3:
        return {.lower = upper >> 32};
      default:
        return {};
    }
  }
  // The word of that number, counted from the last one, which is 0.
  constexpr std::uint32_t word(std::uint32_t from_last) const {
    const std::uint64_t half = from_last < 2 ? lower : upper;
    return static_cast<std::uint32_t>(from_last % 2 == 0 ? half : half >> 32);
  }
  // The key behind this one; 0 behind the very last.
  constexpr Key next() const {
    return {.upper = lower + 1 == 0 ? upper + 1 : upper, .lower = lower + 1};
  }

  friend auto operator<=>(const Key&, const Key&) = default;
};

// From low to high, both included.
struct Range {
  Key low;
  Key high;
  friend bool operator==(const Range&, const Range&) = default;
};

// Invariant (is_right()): the ranges are sorted, and between two of them something is missing.
// make_set() sees to it.
struct Set {
  std::uint8_t words = 1;  // Of each member, 1 to 4.
  std::vector<Range> ranges;

  // O(log n).
  bool contains(const Key& key) const;
  friend bool operator==(const Set&, const Set&) = default;
};

// Sorts and merges ranges, in any order and overlapping, of keys of so many words. O(n log n).
Set make_set(std::uint8_t words, std::vector<Range> ranges);
// The set of numbers whose ranges are given as pairs.
Set make_set(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& ranges);

// What is in either set; they have the same width. O(n + m).
Set unite(const Set& a, const Set& b);

// The set of what the members begin with: of their first `words` words, fewer than they have. O(n).
Set prefixes(const Set& set, std::uint8_t words);

// Whether the invariant holds.
bool is_right(const Set& set);

}  // namespace weir::ir
