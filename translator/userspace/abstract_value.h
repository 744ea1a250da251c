// What the prover knows in one place of a program: of a register or a slot of the stack, a range of
// numbers or a pointer of a known kind; of the packet, how many bytes are behind each pointer.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "translator/ebpf/instruction.h"

namespace weir::ebpf::abstract {

inline constexpr std::uint64_t kMax64 = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();

enum class Kind : std::uint8_t {
  kNumber,   // From low to high, unsigned.
  kContext,  // Its address + fixed.
  kPacket,   // data + the variable part of id (at most high) + fixed.
  kEnd,      // data_end.
  kFrame,    // r10 + fixed.
  kData,     // The value of map id + a number from low to high.
  kMixed,    // Perhaps the context's address: not to be looked at.
};

struct Value {
  Kind kind = Kind::kNumber;
  std::uint32_t id = 0;
  std::int64_t fixed = 0;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  // One compare: where ways meet, all registers are held against each other, and most are equal.
  friend bool operator==(const Value& a, const Value& b) {
    const auto numbers =
        (a.low ^ b.low) | (a.high ^ b.high) | static_cast<std::uint64_t>(a.fixed ^ b.fixed);
    return (numbers | (a.id ^ b.id) | static_cast<unsigned>(a.kind != b.kind)) == 0;
  }
};

inline constexpr Value kAnything{.low = 0, .high = kMax64};
constexpr Value number(std::uint64_t low, std::uint64_t high) { return {.low = low, .high = high}; }
constexpr Value constant(std::uint64_t value) { return number(value, value); }

// What is true of both.
Value join(const Value& a, const Value& b);

// The result of an operation on numbers of at most `max` (all ones of 32 or 64 bits).
Value compute(AluOp op, const Value& a, const Value& b, std::uint64_t max);

// What `a` can be where a `op` b holds; low above high when nothing.
Value narrowed(JumpOp op, const Value& a, const Value& b);

// The condition under which a jump is not taken. kJa stands for "nothing is known".
JumpOp negated(JumpOp op);

// The condition with its sides exchanged.
JumpOp mirrored(JumpOp op);

// A packet pointer's variable part and how many bytes are there behind data + that part.
struct Covered {
  std::uint32_t id = 0;
  std::uint32_t bytes = 0;
};
inline constexpr std::size_t kCovered = 8;

struct Facts {
  std::array<Covered, kCovered> covered{};
  std::uint32_t count = 0;
  std::uint16_t written = 0;        // Registers.
  std::uint64_t slots_written = 0;  // Of the stack, 8 bytes each; bit 0 is at the top.

  std::uint32_t bytes_of(std::uint32_t id) const {
    for (std::uint32_t i = 0; i < count; ++i) {
      if (covered[i].id == id) {
        return covered[i].bytes;
      }
    }
    return 0;
  }
  void cover(std::uint32_t id, std::uint32_t bytes) {
    for (std::uint32_t i = 0; i < count; ++i) {
      if (covered[i].id == id) {
        covered[i].bytes = std::max(covered[i].bytes, bytes);
        return;
      }
    }
    if (count == kCovered) {  // The oldest but the packet's start goes.
      std::copy(covered.begin() + 2, covered.end(), covered.begin() + 1);
      --count;
    }
    covered[count++] = {.id = id, .bytes = bytes};
  }
  void meet(const Facts& other) {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t bytes = std::min(covered[i].bytes, other.bytes_of(covered[i].id));
      if (bytes != 0) {
        covered[kept++] = {.id = covered[i].id, .bytes = bytes};
      }
    }
    count = kept;
    written &= other.written;
    slots_written &= other.slots_written;
  }
};

}  // namespace weir::ebpf::abstract
