// How an extended program finds out whether a key is in a set: decided here, with the tables it
// reads, before any instruction is chosen (set_lookup.h).
//
// Members are divided by how many of their leading words matter (2001:db8::/32 is a matter of one
// word), and each part is asked in the way that suits it:
//
//   few           compares
//   close         the bits of a constant, or of a table (ports)
//   alike         a hash table of keys, or of blocks of one size (/24)
//   anything else a binary search without branches, which a table on the leading bits makes short
//
// All of these take a fixed number of instructions, and nothing in a table is followed further than
// its bounds allow, as Linux's verifier wants it.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "translator/ir/set.h"
#include "translator/lower/extended/sets/hash_table.h"

namespace weir::lower {

// The read-only bytes that a program's look-ups share.
class DataSection {
 public:
  // Where the bytes begin, aligned as asked for (a power of two).
  std::uint32_t append(const std::vector<std::uint8_t>& bytes, std::uint32_t alignment);
  const std::vector<std::uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

// Numbers from low to high; a key of several words only when low = high.
struct RangePart {
  ir::Range range;
};

// `low` + n where bit n is set.
struct BitsPart {
  std::uint32_t low = 0;
  std::uint64_t bits = 0;
};

// The same with the bits in a table; `whole`: no key is past its end.
struct BitmapPart {
  std::uint32_t low = 0;
  std::uint32_t bytes = 0;
  bool whole = false;
  std::uint32_t table = 0;  // Offset in the data, as all these.
};

// Keys whose last `shift` bits (fewer than 32) do not matter. Entries of one word have 4 bytes, of
// two words 8, of more 16: upper and lower half of the key, shifted.
struct HashPart {
  HashPlaces places;
  std::uint32_t shift = 0;
  std::uint32_t table = 0;
};

// Where the look-up begins in a sorted table: at the entry of `starts` (4 bytes, an offset into the
// table) for (w - low) >> shift, w being the first word of the key. Keys whose first word is
// outside of low..high are no members.
struct Starts {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  std::uint32_t shift = 0;
  std::uint32_t largest = 0;  // Of its entries.
  std::uint32_t table = 0;
};

// The keys at which membership begins or ends, sorted; a key is a member when an odd number of them
// is not above it. Entries are `stride` bytes apart, their words of 4 bytes the most significant
// first.
struct SearchPart {
  std::uint32_t window = 0;  // How many entries have to be searched.
  std::uint32_t stride = 4;
  std::uint32_t table = 0;
  bool has_starts = false;
  Starts starts;
};

struct SetPart {
  std::uint32_t words = 1;  // Of the key, from its first.
  std::variant<RangePart, BitsPart, BitmapPart, HashPart, SearchPart> how;
};

// A key is in the set if one of the parts says so.
struct SetPlan {
  std::vector<SetPart> parts;
};

// Plans look-ups of keys that are at most `largest` (of one word; longer keys may be anything) and
// appends their tables to `data`. O(n log n).
SetPlan plan_set(const ir::Set& set, std::uint32_t largest, DataSection& data);

// Whether look-ups are better made with the bytes of the key as they stand in the packet: the
// members are single numbers, far apart. Of one word.
bool suits_network_order(const ir::Set& set);

// The set of what the members are in network order of a field of `width` (2 or 4) bytes; only for
// sets that suits_network_order() names.
ir::Set in_network_order(const ir::Set& set, std::uint8_t width);

}  // namespace weir::lower
