#include "cbpf/savefile/record_finder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cbpf/savefile/scan.h"

namespace weir::cbpf {
namespace {

// In which the beginning of a record is looked for.
constexpr std::size_t kMostSearched = std::size_t{16} << 10;
// After a bad guess, so many pieces are read without.
constexpr std::uint32_t kRest = 16;
// With fewer left side by side, memory is read ahead blindly.
constexpr std::size_t kFew = 6;

constexpr std::size_t kLine = 64;
constexpr std::size_t kFirstLines = 8;

// Into the second cache: more of these can be under way than of those into the first.
inline void ask_for(const std::uint8_t* p) { __builtin_prefetch(p, 0, 2); }

// What the upper half of a record's seconds may be: that of a time in the file, or one more, which
// is a day and a half.
class LikelySeconds {
 public:
  explicit LikelySeconds(const SavefileRecordRules& rules)
      : first_(rules.swapped ? 0 : 3),
        second_(rules.swapped ? 1 : 2),
        high_(static_cast<std::uint8_t>(rules.seconds >> 24)),
        low_(static_cast<std::uint8_t>(rules.seconds >> 16)) {}

  bool at(const std::uint8_t* p) const { return looks_right(p[first_], p[second_]) != 0; }

  // Whether it may be so at one of kBlock places. Without a branch, so that the compiler takes many
  // places at once.
  static constexpr std::size_t kBlock = 64;
  bool in_block(const std::uint8_t* p) const {
    std::uint8_t found = 0;
    const std::uint8_t* const first = p + first_;
    const std::uint8_t* const second = p + second_;
    for (std::size_t i = 0; i < kBlock; ++i) {
      found |= looks_right(first[i], second[i]);
    }
    return found != 0;
  }

 private:
  std::uint8_t looks_right(std::uint8_t high, std::uint8_t low) const {
    const auto next = static_cast<std::uint8_t>(low_ + 1);
    return static_cast<std::uint8_t>(
        static_cast<int>(high == high_) &
        (static_cast<int>(low == low_) | static_cast<int>(low == next)));
  }

  std::size_t first_;
  std::size_t second_;
  std::uint8_t high_;
  std::uint8_t low_;
};

// Whether the header of a record may stand here, as far as its numbers tell.
bool is_likely(const std::uint8_t* p, const SavefileRecordRules& rules) {
  const std::uint32_t captured = load_file32(p + 8, rules.swapped);
  // A record without bytes would be seen wherever bytes are zero.
  return LikelySeconds(rules).at(p) && load_file32(p + 4, rules.swapped) < rules.ticks &&
         captured - 1 < rules.most_captured && captured <= load_file32(p + 12, rules.swapped);
}

// The first such place from `begin` on, less than `end`; null if there is none.
const std::uint8_t* find_likely(const std::uint8_t* begin, const std::uint8_t* end,
                                const SavefileRecordRules& rules) {
  const LikelySeconds seconds(rules);
  const std::uint8_t* p = begin;
  while (p < end) {
    if (static_cast<std::size_t>(end - p) >= LikelySeconds::kBlock && !seconds.in_block(p)) {
      p += LikelySeconds::kBlock;
      continue;
    }
    const std::uint8_t* const stop = std::min(p + LikelySeconds::kBlock, end);
    for (; p < stop; ++p) {
      if (is_likely(p, rules)) {
        return p;
      }
    }
  }
  return nullptr;
}

}  // namespace

struct SavefileRecordFinder::Walker {
  const std::uint8_t* at = nullptr;
  const std::uint8_t* limit = nullptr;  // The last record of the chain begins before it.
  PacketBytes* out = nullptr;
  std::size_t chain = 0;
};

void SavefileRecordFinder::find(Bytes bytes, const SavefileRecordRules& rules,
                                std::size_t least_part) {
  clear();
  if (rest_ > 0) {
    --rest_;
    return;
  }
  guess(bytes, rules, least_part);
  rules.swapped ? walk<true>(bytes, rules.most_captured) : walk<false>(bytes, rules.most_captured);
  join();
}

void SavefileRecordFinder::distrust() { rest_ = kRest; }

void SavefileRecordFinder::guess(Bytes bytes, const SavefileRecordRules& rules,
                                 std::size_t least_part) {
  const std::size_t parts = std::min(bytes.size() / least_part, kMost);
  if (parts == 0) {
    return;
  }
  const std::size_t size = bytes.size() / parts;
  const std::uint8_t* const end = bytes.data() + bytes.size();
  for (std::size_t i = 0; i < parts; ++i) {
    for (std::size_t line = 0; line < kFirstLines; ++line) {
      ask_for(bytes.data() + i * size + line * kLine);
    }
  }
  const auto behind = [&](const std::uint8_t* p) {
    return p + kPcapRecordHeader + load_file32(p + 8, rules.swapped);
  };
  std::array<const std::uint8_t*, kMost> places{};
  const std::size_t searched = std::min(size, kMostSearched) - kPcapRecordHeader;
  for (std::size_t i = 0; i < parts; ++i) {
    const std::uint8_t* const begin = bytes.data() + i * size;
    places[i] = find_likely(begin, begin + searched, rules);
    if (places[i] != nullptr) {
      ask_for(behind(places[i]) + 8);
    }
  }
  // The record behind has to look like one too, as far as there are bytes.
  const auto leads_on = [&](const std::uint8_t* p) {
    return end - behind(p) < static_cast<std::ptrdiff_t>(kPcapRecordHeader) ||
           is_likely(behind(p), rules);
  };
  for (std::size_t i = 0; i < parts; ++i) {
    const std::uint8_t* p = places[i];
    while (p != nullptr && !leads_on(p)) {
      p = find_likely(p + 1, bytes.data() + i * size + searched, rules);
    }
    if (p != nullptr) {
      chains_[count_++].begin = p;
    }
  }
  if (2 * count_ < parts) {
    clear();
    rest_ = kRest;
  }
}

template <bool kSwapped>
void SavefileRecordFinder::walk(Bytes bytes, std::uint32_t most_captured) {
  const std::uint8_t* const end = bytes.data() + bytes.size();
  // Records of 16 bytes at least, and one for each chain that begins before its limit.
  if (const std::size_t wanted = bytes.size() / kPcapRecordHeader + 2 * kMost; capacity_ < wanted) {
    packets_ = make_uninitialized<PacketBytes>(wanted);
    capacity_ = wanted;
  }
  std::array<Walker, kMost> walkers;
  const auto packets_of = [&](std::size_t chain) {
    const auto before = static_cast<std::size_t>(chains_[chain].begin - bytes.data());
    return packets_.get() + before / kPcapRecordHeader + 2 * chain;
  };
  for (std::size_t i = 0; i < count_; ++i) {
    const std::uint8_t* const limit =
        i + 1 < count_ ? chains_[i + 1].begin : end - (kPcapRecordHeader - 1);
    walkers[i] = {.at = chains_[i].begin, .limit = limit, .out = packets_of(i), .chain = i};
  }
  // False when it is not ordinary or not whole.
  const auto take = [&](Walker& walker) {
    const std::uint8_t* const p = walker.at;
    const std::uint32_t captured = load_file32<kSwapped>(p + 8);
    const std::size_t length = kPcapRecordHeader + captured;
    if (captured > most_captured || static_cast<std::size_t>(end - p) < length) {
      return false;
    }
    *walker.out++ = {p + kPcapRecordHeader, captured, load_file32<kSwapped>(p + 12)};
    walker.at = p + length;
    return true;
  };
  std::size_t left = count_;
  while (left >= kFew) {
    for (std::size_t i = 0; i < left;) {
      Walker& walker = walkers[i];
      if (!take(walker) || walker.at >= walker.limit) {
        std::swap(walker, walkers[--left]);
        continue;
      }
      // The header and what a filter reads; where packets are short, the next headers too.
      ask_for(walker.at + 8);
      ask_for(walker.at + kLine);
      ask_for(walker.at + 2 * kLine);
      ++i;
    }
  }
  for (std::size_t i = 0; i < left; ++i) {
    Walker& walker = walkers[i];
    SavefileAhead ahead(walker.at);
    do {
      ahead.from(walker.at);
    } while (take(walker) && walker.at < walker.limit);
  }
  for (std::size_t i = 0; i < count_; ++i) {
    const Walker& walker = walkers[i];
    Chain& chain = chains_[walker.chain];
    const PacketBytes* const packets = packets_of(walker.chain);
    chain.end = walker.at;
    chain.packets = {packets, static_cast<std::size_t>(walker.out - packets)};
  }
}

// Makes one of those that go on where another ends.
void SavefileRecordFinder::join() {
  std::size_t joined = 0;
  for (std::size_t i = 1; i < count_; ++i) {
    Chain& chain = chains_[joined];
    const Chain& next = chains_[i];
    if (chain.end != next.begin) {
      chains_[++joined] = next;
      continue;
    }
    PacketBytes* const packets = packets_.get() + (chain.packets.data() - packets_.get());
    std::memmove(packets + chain.packets.size(), next.packets.data(), next.packets.size_bytes());
    chain.end = next.end;
    chain.packets = {packets, chain.packets.size() + next.packets.size()};
  }
  count_ = count_ == 0 ? 0 : joined + 1;
}

}  // namespace weir::cbpf
