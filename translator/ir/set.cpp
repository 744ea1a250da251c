#include "translator/ir/set.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace weir::ir {
namespace {

// Joins what overlaps or touches; `ranges` are sorted by their lows.
void merge(std::vector<Range>& ranges) {
  std::size_t kept = 0;
  for (const Range& range : ranges) {
    Range* const last = kept == 0 ? nullptr : &ranges[kept - 1];
    if (last != nullptr && (range.low <= last->high || range.low == last->high.next())) {
      last->high = std::max(last->high, range.high);
    } else {
      ranges[kept++] = range;
    }
  }
  ranges.resize(kept);
}

bool by_low(const Range& a, const Range& b) { return a.low < b.low; }

}  // namespace

bool Set::contains(const Key& key) const {
  const auto ends_before = [](const Range& range, const Key& each) { return range.high < each; };
  const auto found = std::lower_bound(ranges.begin(), ranges.end(), key, ends_before);
  return found != ranges.end() && found->low <= key;
}

Set make_set(std::uint8_t words, std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), by_low);
  merge(ranges);
  return {.words = words, .ranges = std::move(ranges)};
}

Set make_set(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& ranges) {
  std::vector<Range> keys;
  keys.reserve(ranges.size());
  for (const auto& [low, high] : ranges) {
    keys.push_back({.low = Key::of(low), .high = Key::of(high)});
  }
  return make_set(1, std::move(keys));
}

Set unite(const Set& a, const Set& b) {
  Set both{.words = a.words};
  both.ranges.reserve(a.ranges.size() + b.ranges.size());
  std::merge(a.ranges.begin(), a.ranges.end(), b.ranges.begin(), b.ranges.end(),
             std::back_inserter(both.ranges), by_low);
  merge(both.ranges);
  return both;
}

Set prefixes(const Set& set, std::uint8_t words) {
  Set shorter{.words = words, .ranges = set.ranges};
  const auto dropped = static_cast<std::uint32_t>(set.words - words);
  for (Range& range : shorter.ranges) {
    range = {.low = range.low.without(dropped), .high = range.high.without(dropped)};
  }
  merge(shorter.ranges);
  return shorter;
}

bool is_right(const Set& set) {
  if (set.words < 1 || set.words > kMaxWords) {
    return false;
  }
  for (std::size_t i = 0; i < set.ranges.size(); ++i) {
    const Range& range = set.ranges[i];
    if (range.low > range.high || range.high > Key::last(set.words)) {
      return false;
    }
    if (i > 0 &&
        (range.low <= set.ranges[i - 1].high || range.low == set.ranges[i - 1].high.next())) {
      return false;
    }
  }
  return true;
}

}  // namespace weir::ir
