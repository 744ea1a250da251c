// Tables that hold keys so that one or two looks tell whether a key is among them.
//
// One look: a multiplier is searched for under which every key has a place of its own; that takes
// about n^2 / 12 places, so it is for few keys. Two looks: every key has two places by two
// multipliers, and keys are moved until each has one for itself (Pagh and Rodler, "Cuckoo Hashing",
// 2004); both looks go on at the same time in the machine. Hashing is by multiplication
// (Dietzfelbinger et al., "A Reliable Randomized Algorithm for the Closest-Pair Problem", 1997).
//
// No place is empty: one that no key needs holds another of the keys, so that whatever is found
// equal is a member.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "translator/ir/set.h"

namespace weir::lower {

// Where a key is looked for, in tables of 2^log_slots entries. Of one word w the n-th place is
// (w * multipliers[n]) >> (32 - log_slots) in 32 bits. Of two words as a number d of 64 bits it is
// (d * multipliers[n]) >> (64 - log_slots); of more, d is upper * mixer + lower.
struct HashPlaces {
  std::uint32_t words = 1;
  std::uint32_t log_slots = 1;
  std::uint32_t looks = 1;  // 1 or 2.
  std::array<std::uint64_t, 2> multipliers{};
  std::uint64_t mixer = 0;

  std::uint32_t place(const ir::Key& key, std::uint32_t look) const;
};

struct HashTable {
  HashPlaces places;
  std::vector<ir::Key> slots;
};

// The table of distinct keys of so many words, at least one; always the same for the same keys.
// Nothing when no table was found, which is not to be expected of any keys. O(n) expected.
std::optional<HashTable> make_hash_table(const std::vector<ir::Key>& keys, std::uint32_t words);

}  // namespace weir::lower
