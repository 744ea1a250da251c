// The one form between the two machines: a filter as an SSA function of 32-bit values.
//
//   function EN10MB {
//   b0:
//     need 14
//     v0 = load 2 [12]
//     branch eq v0, 0x800 ? b1 : b3
//   b1:
//     need 24
//     v1 = load 1 [23]
//     branch eq v1, 6 ? b2 : b3
//   b2:
//     return 262144
//   b3:
//     return 0
//   }
//
// A classic load is two things here: a `need` (the packet has at least n captured bytes, else the
// filter ends with 0) and a pure `load`. A division by a value is a `guard` (the value is not 0,
// else the filter ends with 0) and a pure `div`. So every value is pure and may be moved, shared or
// dropped; only needs and guards must stay where every path that could accept passes them.
//
// Edges never form a cycle: blocks are in an order in which every edge goes forward, so one sweep
// in block order sees definitions before uses and predecessors before successors. A classic
// backward jump is a tail call of the function to itself: the terminator `repeat` runs it once more
// from its entry, with new loop state, which kLoopState reads and which is 0 in the first run. To a
// pass, loop state is one more input and `repeat` one more exit, by which the packet may be
// accepted.
#pragma once

#include <cstdint>
#include <vector>

#include "cbpf/instruction.h"
#include "translator/ir/set.h"

namespace weir::ir {

using ValueId = std::uint32_t;  // Index into Function::values.
using BlockId = std::uint32_t;  // Index into Function::blocks; 0 is the entry.

inline constexpr ValueId kNoValue = 0xffffffff;
inline constexpr std::uint32_t kNoOrigin = 0xffffffff;

enum class Op : std::uint8_t {
  // Values without operands.
  kConstant,   // k.
  kParameter,  // A block parameter; its values come along the edges.
  kLength,     // The packet's wire length in bytes.
  kAncillary,  // Metadata; k is the number of a cbpf::Extension.
  kLoopState,  // Word k of the loop state; 0 until a `repeat` sets it.
  // Packet bytes: `width` (1, 2 or 4) bytes, big-endian, zero-extended, at offset a + k, where a
  // may
  // be kNoValue (offset k). The sum is taken over the natural numbers, it does not wrap; some need
  // on the way here must have covered a + k + width.
  kLoad,
  // Arithmetic of a and b, modulo 2^32.
  kAdd,
  kSub,
  kMul,
  kDiv,  // Unsigned; b is not 0 here (a guard saw to it, or b is a constant).
  kMod,  // The same.
  kAnd,
  kOr,
  kXor,
  kShl,        // 0 when b >= 32 (the libpcap dialect).
  kShr,        // The same.
  kShlModulo,  // Shifts by b mod 32 (the Linux dialect).
  kShrModulo,  // The same.
  kNeg,        // 0 - a; no b.
  // 1 if a + k bytes are captured, over the natural numbers, else 0; a may be kNoValue. The back
  // end to extended asks this, for a branch of the same block that alone reads the answer.
  kHas,
  // Set tests. A key of several words is made of values by kJoin, the most significant word first;
  // nothing but kJoin and kIn may take a key.
  kJoin,  // The key of `width` (2 to 4) words: those of a (a value, or a key of width - 1), then b.
  kIn,    // 1 if a is in Function::sets[k], else 0; a has as many words as the set's members.
  // Effects: no value, only in a block's body.
  kNeed,   // Ends the filter with 0 unless captured length >= a + k over the natural numbers.
  kGuard,  // Ends the filter with 0 if a is 0.
};

// A value or an effect. Which fields mean something is said at its Op; the others keep their
// defaults, so that two equal values compare equal.
struct Value {
  Op op = Op::kConstant;
  std::uint8_t width = 0;
  std::uint32_t k = 0;
  ValueId a = kNoValue;
  ValueId b = kNoValue;
  std::uint32_t origin = kNoOrigin;  // The classic instruction it comes from, for messages.
};

struct Edge {
  BlockId to = 0;
  std::vector<ValueId> arguments;  // One for each parameter of `to`.
};

enum class Compare : std::uint8_t {
  kEq,
  kNe,
  kGt,  // Unsigned, as all of these.
  kGe,
  kLt,
  kLe,
  kSet,    // (a & b) != 0.
  kClear,  // (a & b) == 0.
};

// A range of a switch, both ends included.
struct Case {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  std::uint32_t edge = 0;  // Index into Terminator::edges.
};

enum class End : std::uint8_t {
  kReturn,  // The filter ends with a.
  kJump,    // edges[0].
  kBranch,  // compare(a, b) ? edges[0] : edges[1].
  kSwitch,  // The edge of the case that holds a, else edges[0].
  kRepeat,  // The function runs again from its entry; `state` is its loop state then.
};

struct Terminator {
  End end = End::kReturn;
  Compare compare = Compare::kEq;
  ValueId a = kNoValue;
  ValueId b = kNoValue;
  std::vector<Edge> edges;
  std::vector<Case> cases;  // kSwitch: sorted by `low`, disjoint.
  // kRepeat: the loop state by word; every kLoopState names one of them. The first two are the
  // loop's number, a constant from 1 up, and how often its backward jumps have been taken.
  std::vector<ValueId> state;
  std::uint32_t origin = kNoOrigin;
};

struct Block {
  std::vector<ValueId> parameters;
  // Values and effects in order. Constants are in no body: they are the same everywhere.
  std::vector<ValueId> body;
  Terminator terminator;
};

struct Function {
  int link_type = 1;             // A DLT_* number; decides where the network layer begins.
  std::uint32_t loop_words = 0;  // Of the loop state; 0: the function never repeats.
  std::vector<Value> values;
  std::vector<Block> blocks;
  std::vector<Set> sets;  // What kIn asks for, by its k.
};

// Whether the Op computes with a and, except kNeg, b.
constexpr bool is_arithmetic(Op op) { return op >= Op::kAdd && op <= Op::kNeg; }

constexpr bool is_effect(Op op) { return op == Op::kNeed || op == Op::kGuard; }

// The compare that holds exactly when `compare` does not.
constexpr Compare negate(Compare compare) {
  switch (compare) {
    case Compare::kEq:
      return Compare::kNe;
    case Compare::kNe:
      return Compare::kEq;
    case Compare::kGt:
      return Compare::kLe;
    case Compare::kGe:
      return Compare::kLt;
    case Compare::kLt:
      return Compare::kGe;
    case Compare::kLe:
      return Compare::kGt;
    case Compare::kSet:
      return Compare::kClear;
    case Compare::kClear:
      return Compare::kSet;
  }
  return Compare::kEq;
}

// The compare that holds for (b, a) when `compare` holds for (a, b).
constexpr Compare exchange(Compare compare) {
  switch (compare) {
    case Compare::kGt:
      return Compare::kLt;
    case Compare::kGe:
      return Compare::kLe;
    case Compare::kLt:
      return Compare::kGt;
    case Compare::kLe:
      return Compare::kGe;
    case Compare::kEq:
    case Compare::kNe:
    case Compare::kSet:
    case Compare::kClear:
      return compare;
  }
  return compare;
}

}  // namespace weir::ir
