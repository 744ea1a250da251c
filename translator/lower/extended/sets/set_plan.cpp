#include "translator/lower/extended/sets/set_plan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include "translator/lower/extended/sets/byte_order.h"

namespace weir::lower {
namespace {

using ir::Key;
using ir::kMaxWords;
using ir::Range;
using Ranges = std::vector<Range>;

// As many compares cost no more than any table.
constexpr std::size_t kMostCompares = 6;
constexpr std::size_t kMostWideCompares = 2;
// Tables of bits may be so long in any case, or so many bytes a range.
constexpr std::uint64_t kBitmapBytes = 8192;
constexpr std::uint64_t kBitmapBytesARange = 16;
// Into so many blocks a set is cut for a hash table, or so many a range.
constexpr std::uint64_t kBlocks = 256;
constexpr std::uint64_t kBlocksARange = 4;
// Shorter searches need no starts; there are so many of those at most, and a range.
constexpr std::size_t kLeastForStarts = 8;
constexpr std::uint64_t kStarts = 65536;
constexpr std::uint64_t kStartsARange = 8;

template <typename T>
void put(std::vector<std::uint8_t>& bytes, T value) {
  std::array<std::uint8_t, sizeof(T)> raw;
  std::memcpy(raw.data(), &value, sizeof(T));
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

// The number of leading words that say whether a key is in the range.
std::uint32_t words_that_matter(const Range& range, std::uint32_t words) {
  std::uint32_t dropped = 0;
  while (dropped + 1 < words && range.low.word(dropped) == 0 &&
         range.high.word(dropped) == 0xffffffff) {
    ++dropped;
  }
  return words - dropped;
}

// How many low bits of numbers do not matter to any of the ranges; of their last word at most.
std::uint32_t common_shift(const Ranges& ranges) {
  std::uint32_t bits = 0x80000000;
  for (const Range& range : ranges) {
    bits |= range.low.word(0) | ~range.high.word(0);
  }
  return static_cast<std::uint32_t>(std::countr_zero(bits));
}

Key shifted(const Key& key, std::uint32_t bits) {
  if (bits == 0) {
    return key;
  }
  return {.upper = key.upper >> bits, .lower = key.lower >> bits | key.upper << (64 - bits)};
}

// The halves of the key with the lower one shifted alone, as the machine does it, from the whole
// key shifted.
Key with_lower_shifted(const Key& key, std::uint32_t bits) {
  if (bits == 0) {
    return key;
  }
  return {.upper = key.upper << bits | key.lower >> (64 - bits),
          .lower = key.lower & ~std::uint64_t{0} >> bits};
}

// How many blocks of 2^shift keys the range has, or more than `most`.
std::uint64_t count_blocks(const Range& range, std::uint32_t shift, std::uint64_t most) {
  const Key low = shifted(range.low, shift);
  const Key high = shifted(range.high, shift);
  // The difference of two numbers of 128 bits.
  const std::uint64_t lower = high.lower - low.lower;
  const std::uint64_t upper = high.upper - low.upper - (high.lower < low.lower ? 1 : 0);
  return upper != 0 || lower >= most ? most + 1 : lower + 1;
}

class Planner {
 public:
  Planner(std::uint32_t largest, DataSection& data) : largest_(largest), data_(data) {}

  SetPlan run(const ir::Set& set) && {
    std::array<Ranges, kMaxWords + 1> by_words;
    for (const Range& range : set.ranges) {
      const std::uint32_t words = words_that_matter(range, set.words);
      by_words[words].push_back(
          {range.low.without(set.words - words), range.high.without(set.words - words)});
    }
    if (set.words > 1) {
      largest_ = 0xffffffff;
    }
    plan_numbers(by_words[1]);
    for (std::uint32_t words = 2; words <= set.words; ++words) {
      plan_keys(by_words[words], words);
    }
    return std::move(plan_);
  }

 private:
  void add(std::uint32_t words, const decltype(SetPart::how)& how) {
    plan_.parts.push_back({.words = words, .how = how});
  }

  // ---- One word ----

  static std::uint32_t number(const Key& key) { return static_cast<std::uint32_t>(key.lower); }

  void plan_numbers(Ranges ranges) {
    while (!ranges.empty() && number(ranges.back().low) > largest_) {
      ranges.pop_back();
    }
    if (ranges.empty()) {
      return;
    }
    const std::uint32_t low = number(ranges.front().low);
    const std::uint32_t high = std::min(number(ranges.back().high), largest_);
    ranges.back().high = Key::of(high == largest_ ? 0xffffffff : high);
    if (cost_of_compares(ranges) <= kMostCompares) {
      compare(ranges);
    } else if (high - low < 64) {
      add_bits(ranges, low);
    } else if (largest_ <= 0xffff || bitmap_is_small(std::uint64_t{high} - low, ranges.size())) {
      add_bitmap(ranges, low, high);
    } else if (!hash(ranges, 1)) {
      plan_singles_apart(ranges);
    }
  }

  // Many hosts and a few nets: the nets by compares.
  void plan_singles_apart(const Ranges& ranges) {
    Ranges singles;
    Ranges others;
    for (const Range& range : ranges) {
      (range.low == range.high ? singles : others).push_back(range);
    }
    if (cost_of_compares(others) <= kMostCompares && hash(singles, 1)) {
      compare(others);
    } else {
      search(ranges, 1);
    }
  }

  // In jumps and subtractions.
  static std::size_t cost_of_compares(const Ranges& ranges) {
    std::size_t cost = 0;
    for (const Range& range : ranges) {
      const bool one =
          range.low == range.high || range.low == Key{} || range.high == Key::of(0xffffffff);
      cost += one ? 1 : 2;
    }
    return cost;
  }

  void compare(const Ranges& ranges) {
    for (const Range& range : ranges) {
      add(1, RangePart{range});
    }
  }

  void add_bits(const Ranges& ranges, std::uint32_t low) {
    BitsPart part{.low = low};
    for (const Range& range : ranges) {
      const std::uint32_t last = std::min(number(range.high), largest_);
      for (std::uint64_t i = number(range.low); i <= last; ++i) {
        part.bits |= std::uint64_t{1} << (i - low);
      }
    }
    add(1, part);
  }

  static bool bitmap_is_small(std::uint64_t span, std::size_t ranges) {
    return span / 8 < std::max(kBitmapBytes, kBitmapBytesARange * ranges);
  }

  void add_bitmap(const Ranges& ranges, std::uint32_t low, std::uint32_t high) {
    BitmapPart part{.low = low};
    if (largest_ <= 0xffff) {
      part.low = 0;
      high = std::bit_ceil(largest_ + 1) - 1;
      part.whole = true;
    }
    part.bytes = (high - part.low) / 8 + 1;
    std::vector<std::uint8_t> bytes(part.bytes, 0);
    for (const Range& range : ranges) {
      const std::uint32_t last = std::min(number(range.high), high);
      for (std::uint64_t i = number(range.low) - part.low; i <= last - part.low; ++i) {
        bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | 1U << i % 8);
      }
    }
    part.table = data_.append(bytes, 1);
    add(1, part);
  }

  // ---- Several words ----

  void plan_keys(const Ranges& ranges, std::uint32_t words) {
    if (ranges.empty()) {
      return;
    }
    const bool single = std::all_of(ranges.begin(), ranges.end(),
                                    [](const Range& range) { return range.low == range.high; });
    if (single && ranges.size() <= kMostWideCompares) {
      for (const Range& range : ranges) {
        add(words, RangePart{range});
      }
    } else if (!hash(ranges, words)) {
      search(ranges, words);
    }
  }

  // ---- Hash tables ----

  // False when there would be too many blocks of one size.
  bool hash(const Ranges& ranges, std::uint32_t words) {
    if (ranges.empty()) {
      return false;
    }
    const std::uint32_t shift = common_shift(ranges);
    const std::uint64_t most = std::max(kBlocks, kBlocksARange * ranges.size());
    std::uint64_t blocks = 0;
    for (const Range& range : ranges) {
      blocks += count_blocks(range, shift, most);
      if (blocks > most) {
        return false;
      }
    }
    std::vector<Key> keys;
    keys.reserve(blocks);
    for (const Range& range : ranges) {
      Key key = shifted(range.low, shift);
      for (std::uint64_t n = count_blocks(range, shift, most); n > 0; --n, key = key.next()) {
        keys.push_back(words <= 2 ? key : with_lower_shifted(key, shift));
      }
    }
    const auto table = make_hash_table(keys, words);
    if (!table) {
      return false;
    }
    std::vector<std::uint8_t> bytes;
    for (const Key& key : table->slots) {
      if (words == 1) {
        put(bytes, number(key));
      } else {
        if (words > 2) {
          put(bytes, key.upper);
        }
        put(bytes, key.lower);
      }
    }
    const std::uint32_t entry = words == 1 ? 4 : words == 2 ? 8 : 16;
    add(words,
        HashPart{.places = table->places, .shift = shift, .table = data_.append(bytes, entry)});
    return true;
  }

  // ---- Searches ----

  void search(const Ranges& ranges, std::uint32_t words) {
    std::vector<Key> turns;
    for (const Range& range : ranges) {
      turns.push_back(range.low);
      if (range.high != Key::last(words)) {
        turns.push_back(range.high.next());
      }
    }
    SearchPart part{.window = static_cast<std::uint32_t>(turns.size()),
                    .stride = words == 1   ? 4U
                              : words == 2 ? 8U
                                           : 16U};
    std::vector<std::uint8_t> bytes;
    for (const Key& turn : turns) {
      for (std::uint32_t word = words; word-- > 0;) {
        put(bytes, turn.word(word));
      }
      bytes.resize((bytes.size() + part.stride - 1) / part.stride * part.stride, 0);
    }
    part.table = data_.append(bytes, part.stride);
    if (turns.size() >= kLeastForStarts) {
      add_starts(part, turns, words, ranges.back().high);
    }
    add(words, part);
  }

  void add_starts(SearchPart& part, const std::vector<Key>& turns, std::uint32_t words,
                  const Key& last_member) {
    const auto first_word = [words](const Key& key) { return key.word(words - 1); };
    Starts& starts = part.starts;
    starts.low = first_word(turns.front());
    starts.high = first_word(last_member);
    const std::uint64_t span = std::uint64_t{starts.high} - starts.low;
    const std::uint64_t most = std::min(kStarts, kStartsARange * turns.size());
    while (span >> starts.shift >= most) {
      ++starts.shift;
    }
    std::vector<std::uint32_t> first((span >> starts.shift) + 2, 0);
    for (const Key& turn : turns) {
      const std::uint64_t bucket = std::uint64_t{first_word(turn) - starts.low} >> starts.shift;
      first[std::min<std::uint64_t>(bucket + 1, first.size() - 1)] += 1;
    }
    // From how many there are in the bucket before to how many there are in all of them.
    part.window = *std::max_element(first.begin(), first.end());
    const auto last = static_cast<std::uint32_t>(turns.size()) - part.window;
    if (last == 0) {
      return;  // They are all in one bucket.
    }
    std::vector<std::uint8_t> bytes;
    std::uint32_t before = 0;
    for (std::size_t bucket = 0; bucket + 1 < first.size(); ++bucket) {
      before += first[bucket];
      put(bytes, std::min(before, last) * part.stride);
    }
    starts.largest = last * part.stride;
    starts.table = data_.append(bytes, 4);
    part.has_starts = true;
  }

  std::uint32_t largest_;
  DataSection& data_;
  SetPlan plan_;
};

}  // namespace

std::uint32_t DataSection::append(const std::vector<std::uint8_t>& bytes, std::uint32_t alignment) {
  bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment, 0);
  const auto offset = static_cast<std::uint32_t>(bytes_.size());
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return offset;
}

SetPlan plan_set(const ir::Set& set, std::uint32_t largest, DataSection& data) {
  return Planner(largest, data).run(set);
}

bool suits_network_order(const ir::Set& set) {
  const bool single = set.words == 1 && !set.ranges.empty() &&
                      std::all_of(set.ranges.begin(), set.ranges.end(),
                                  [](const Range& range) { return range.low == range.high; });
  return single && (set.ranges.size() <= kMostCompares ||
                    set.ranges.back().low.lower - set.ranges.front().low.lower >= 64);
}

ir::Set in_network_order(const ir::Set& set, std::uint8_t width) {
  const std::uint64_t end = std::uint64_t{1} << 8 * width;
  Ranges ranges;
  for (const Range& range : set.ranges) {
    if (range.low.lower < end) {
      const Key key = Key::of(in_network_order(static_cast<std::uint32_t>(range.low.lower), width));
      ranges.push_back({key, key});
    }
  }
  return ir::make_set(1, std::move(ranges));
}

}  // namespace weir::lower
