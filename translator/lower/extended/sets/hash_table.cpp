#include "translator/lower/extended/sets/hash_table.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>

namespace weir::lower {
namespace {

using ir::Key;

constexpr std::uint32_t kFree = 0xffffffff;
// Tables with one look are to stay in the nearest cache beside everything else.
constexpr std::size_t kOneLookBytes = 16384;
constexpr int kOneLookTrials = 2000;
constexpr int kTwoLookTrials = 16;
constexpr std::uint32_t kGrowths = 4;
constexpr int kMostMoves = 500;

// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
class Numbers {
 public:
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_ = 1993;
};

std::size_t entry_bytes(std::uint32_t words) { return words == 1 ? 4 : words == 2 ? 8 : 16; }

std::uint32_t log_of_at_least(std::size_t slots) {
  return static_cast<std::uint32_t>(std::bit_width(std::max<std::size_t>(slots, 2) - 1));
}

class Maker {
 public:
  Maker(const std::vector<Key>& keys, std::uint32_t words) : keys_(keys) { places_.words = words; }

  std::optional<HashTable> run() {
    // A random place for each of n keys in m: all differ with probability exp(-n^2 / 2m).
    const std::size_t n = keys_.size();
    places_.log_slots = log_of_at_least(std::max(n + n / 4, n * n / 12));
    places_.looks = 1;
    if ((entry_bytes(places_.words) << places_.log_slots) <= kOneLookBytes) {
      for (int trial = 0; trial < kOneLookTrials; ++trial) {
        choose_numbers();
        if (place_at_once()) {
          return table();
        }
      }
    }
    places_.looks = 2;
    places_.log_slots = log_of_at_least(2 * n + n / 4);
    for (std::uint32_t growth = 0; growth < kGrowths; ++growth, ++places_.log_slots) {
      for (int trial = 0; trial < kTwoLookTrials; ++trial) {
        choose_numbers();
        if (place_by_moving()) {
          return table();
        }
      }
    }
    return std::nullopt;
  }

 private:
  void choose_numbers() {
    for (std::uint64_t& multiplier : places_.multipliers) {
      multiplier = numbers_.next() | 1;
    }
    places_.mixer = numbers_.next() | 1;
  }

  bool place_at_once() {
    // Marks of earlier trials stand for free places, so that none has to be wiped off.
    marks_.resize(std::size_t{1} << places_.log_slots, 0);
    ++mark_;
    for (const Key& key : keys_) {
      const std::uint32_t place = places_.place(key, 0);
      if (marks_[place] == mark_) {
        return false;
      }
      marks_[place] = mark_;
    }
    slots_.assign(marks_.size(), kFree);
    for (std::uint32_t i = 0; i < keys_.size(); ++i) {
      slots_[places_.place(keys_[i], 0)] = i;
    }
    return true;
  }

  bool place_by_moving() {
    slots_.assign(std::size_t{1} << places_.log_slots, kFree);
    for (std::uint32_t i = 0; i < keys_.size(); ++i) {
      std::uint32_t homeless = i;
      std::uint32_t place = places_.place(keys_[i], 0);
      for (int moves = 0; homeless != kFree; ++moves) {
        if (moves == kMostMoves) {
          return false;
        }
        std::swap(homeless, slots_[place]);
        if (homeless != kFree) {
          const std::uint32_t first = places_.place(keys_[homeless], 0);
          place = first == place ? places_.place(keys_[homeless], 1) : first;
        }
      }
    }
    return true;
  }

  HashTable table() const {
    HashTable table{.places = places_};
    table.slots.reserve(slots_.size());
    for (const std::uint32_t index : slots_) {
      table.slots.push_back(keys_[index == kFree ? 0 : index]);
    }
    return table;
  }

  const std::vector<Key>& keys_;
  Numbers numbers_;
  HashPlaces places_;
  std::vector<std::uint32_t> slots_;  // An index into keys_, or kFree.
  std::vector<std::uint32_t> marks_;
  std::uint32_t mark_ = 0;
};

}  // namespace

std::uint32_t HashPlaces::place(const Key& key, std::uint32_t look) const {
  if (words == 1) {
    const auto product =
        static_cast<std::uint32_t>(key.lower) * static_cast<std::uint32_t>(multipliers[look]);
    return product >> (32 - log_slots);
  }
  const std::uint64_t number = words == 2 ? key.lower : key.upper * mixer + key.lower;
  return static_cast<std::uint32_t>(number * multipliers[look] >> (64 - log_slots));
}

std::optional<HashTable> make_hash_table(const std::vector<Key>& keys, std::uint32_t words) {
  return Maker(keys, words).run();
}

}  // namespace weir::lower
