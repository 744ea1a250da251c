// Facts about value classes at a point: ranges, known bits, numbers that a value does not equal.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/function.h"
#include "translator/opt/analysis/value_classes.h"

namespace weir::opt {

// What is known of one number. Its parts are kept in step with each other.
struct Fact {
  static constexpr std::size_t kMaxHoles = 8;

  std::uint32_t low = 0;
  std::uint32_t high = 0xffffffff;
  std::uint32_t zeros = 0;  // Bits that are 0.
  std::uint32_t ones = 0;   // Bits that are 1.
  std::uint32_t hole_count = 0;
  std::array<std::uint32_t, kMaxHoles> holes{};  // Numbers it is not, as far as there is room.

  static Fact exactly(std::uint32_t k) { return {.low = k, .high = k, .zeros = ~k, .ones = k}; }
  std::optional<std::uint32_t> number() const {
    return low == high ? std::optional(low) : std::nullopt;
  }
  bool has_hole(std::uint32_t k) const;

  // What `compare` with k gives, if that is known.
  std::optional<bool> decide(ir::Compare compare, std::uint32_t k) const;
  // Takes in that `compare` with k holds. False when it cannot.
  bool assume(ir::Compare compare, std::uint32_t k);
  // Takes in another fact about the same number. False when both cannot be.
  bool assume(const Fact& other);
  // Where two ways meet: what both know.
  void meet(const Fact& other);

  friend bool operator==(const Fact&, const Fact&) = default;

 private:
  bool settle();
};

// The facts at one place: a value that is cheap to copy, an index into its FactTable.
struct FactState {
  std::uint32_t root = 0;
};

// Keeps states as persistent trees by class (radix trees in the manner of Okasaki and Gill, "Fast
// Mergeable Integer Maps", 1998): a state that differs from another in one fact shares all but one
// path with it, and where two states meet, only what differs is looked at. So going through a
// function costs O(log n) an edge, however many facts there are.
class FactTable {
 public:
  static constexpr int kDepth = 4;  // How far down operands are looked at.

  // The expressions must outlive the table.
  explicit FactTable(ValueClasses& expressions);

  // What is known of the class: from the state, and from what its operands are.
  Fact fact(FactState state, ClassId c) const { return compute(state, c, kDepth); }

  // What the compare gives. It should be simplified.
  std::optional<bool> decide(FactState state, const Comparison& comparison) const;

  // Takes in that the compare holds, or does not. False when that cannot be.
  bool assume(FactState& state, Comparison comparison, bool holds);
  // Takes in a fact about a class, and what follows for its operands.
  bool assume(FactState& state, ClassId c, const Fact& fact, int depth = kDepth);

  // What both states know.
  FactState meet(FactState a, FactState b);

 private:
  static constexpr std::uint32_t kFan = 16;
  using Node = std::array<std::uint32_t, kFan>;  // 0 is nothing.

  Fact compute(FactState state, ClassId c, int depth) const;
  Fact from_operands(FactState state, const ir::Value& value, int depth) const;
  std::uint32_t find(FactState state, ClassId c) const;  // 0 or an index into facts_.
  void put(FactState& state, ClassId c, const Fact& fact);
  std::uint32_t put(std::uint32_t node, std::uint32_t level, ClassId c, std::uint32_t fact);
  std::uint32_t meet(std::uint32_t a, std::uint32_t b, std::uint32_t level);
  bool assume_operand(FactState& state, const ir::Value& value, const Fact& fact, int depth);
  // Stands for how a and b compare: 0 below, 1 equal, 2 above.
  std::optional<ClassId> order_of(ClassId a, ClassId b) const;
  // Takes in that a has one of several bits: that the class of a & bits is not 0.
  bool assume_some_bit(FactState& state, ClassId a, ClassId bits);

  ValueClasses& expressions_;
  std::uint32_t levels_ = 1;
  std::vector<Node> nodes_;
  std::vector<Fact> facts_;
  std::map<std::pair<ClassId, ClassId>, ClassId> orders_;
  std::map<std::pair<ClassId, ClassId>, ClassId> masked_;  // a & bits, where it was asked for.
};

}  // namespace weir::opt
