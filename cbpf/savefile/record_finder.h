// Records of a savefile found from many places at once.
//
// Where a record begins is known when the length of the one before it has come from memory, which
// takes longer than all else that is done for a packet. So the bytes are cut into parts, a place
// that looks like the beginning of a record is looked for in each, and the parts are walked through
// side by side, a record of each in turn: while one waits for its next header the others go on, and
// only headers and what stands right behind them are ever asked for.
//
// A place is a guess, and packets may hold whole savefiles. What comes of it counts only when the
// records before are known to end where it begins, and that is for the caller to find out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "cbpf/base/bytes.h"
#include "cbpf/base/packet_bytes.h"
#include "cbpf/base/uninitialized_array.h"

namespace weir::cbpf {

// What makes a pcap record an ordinary one, and what its header says if it is one.
struct SavefileRecordRules {
  bool swapped = false;
  std::uint32_t most_captured = 0;  // Longer ones are not ordinary.
  std::uint32_t ticks = 0;          // Fractions of a second are less.
  std::uint32_t seconds = 0;        // Some time in the file.
};

class SavefileRecordFinder {
 public:
  // Shorter parts are hardly worth the guess.
  static constexpr std::size_t kLeastPart = std::size_t{32} << 10;

  // Ordinary records of pcap that stand one behind the other, if the first of them is one.
  struct Chain {
    const std::uint8_t* begin = nullptr;
    const std::uint8_t* end = nullptr;
    std::span<const PacketBytes> packets;
  };

  // Guesses and walks, in parts of at least so many bytes, 32 or more. What was found before is
  // gone. Price: as long as the bytes are not in the caches, half of what walking them record by
  // record takes.
  void find(Bytes bytes, const SavefileRecordRules& rules, std::size_t least_part = kLeastPart);
  void clear() { count_ = 0; }

  // In the order of the bytes. One ends before the next begins or past it, where something else
  // stands between them or one of the two was a wrong guess.
  std::span<const Chain> chains() const { return {chains_.data(), count_}; }

  // Says that the chains were not right, so that guessing is left alone for a while.
  void distrust();

 private:
  static constexpr std::size_t kMost = 48;
  struct Walker;

  void guess(Bytes bytes, const SavefileRecordRules& rules, std::size_t least_part);
  template <bool kSwapped>
  void walk(Bytes bytes, std::uint32_t most_captured);
  void join();

  std::array<Chain, kMost> chains_;
  std::size_t count_ = 0;
  UninitializedArray<PacketBytes> packets_;
  std::size_t capacity_ = 0;
  std::uint32_t rest_ = 0;  // So many calls will find nothing.
};

}  // namespace weir::cbpf
