// Value classes (congruence): values of one class give the same number for the same packet wherever
// they are in the function, because only the packet and the block parameters go into them. So facts
// about a class hold for all of its values, and any of them can be computed again where another one
// is out of scope.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "translator/ir/function.h"

namespace weir::opt {

using ClassId = std::uint32_t;  // Index of a class.

inline constexpr ClassId kNoClass = 0xffffffff;

// What every value of a class is, whatever the packet.
struct Bounds {
  std::uint32_t high = 0xffffffff;  // The largest it can be.
  std::uint32_t zeros = 0;          // Bits that are 0.
};

// A compare as a terminator makes it, its operands classes.
struct Comparison {
  ir::Compare compare = ir::Compare::kEq;
  ClassId a = kNoClass;
  ClassId b = kNoClass;
};

class ValueClasses {
 public:
  // Finds the class of every value. O(values).
  explicit ValueClasses(const ir::Function& function);

  // The class of a value of the function.
  ClassId of(ir::ValueId id) const { return classes_[id]; }
  // The class of what was made since.
  void set(ir::ValueId id, ClassId c);

  // How the class is computed: a and b are classes. A parameter is its own reason.
  const ir::Value& node(ClassId c) const { return nodes_[c].value; }
  const Bounds& bounds(ClassId c) const { return nodes_[c].bounds; }
  std::size_t size() const { return nodes_.size(); }

  std::optional<std::uint32_t> number(ClassId c) const {
    const bool known = c != kNoClass && nodes_[c].value.op == ir::Op::kConstant;
    return known ? std::optional(nodes_[c].value.k) : std::nullopt;
  }

  // The class of a value whose a and b are classes, in its normal form: constants folded and on the
  // right, identities removed, sums of constants joined, masks without bits that are 0 anyway, a
  // constant in a base moved into the load's offset where the sum cannot wrap. Amortised O(1).
  ClassId intern(ir::Value value);
  ClassId constant(std::uint32_t k) { return intern({.op = ir::Op::kConstant, .k = k}); }

  // A class of its own, of which nothing is known.
  ClassId fresh(ir::Op op);

  // The need's base and offset in the form that intern() gives loads. False: no packet is that
  // long.
  bool normalise_place(ir::Value& value);

  // The simplest compare that holds in the same cases; or whether it always or never holds.
  Comparison simplify(Comparison comparison);
  std::optional<bool> decide(const Comparison& comparison) const;

 private:
  struct Node {
    ir::Value value;
    Bounds bounds;
  };
  struct Hash {
    std::size_t operator()(const ir::Value& value) const;
  };
  struct Same {
    bool operator()(const ir::Value& x, const ir::Value& y) const;
  };

  ClassId add(const ir::Value& value, const Bounds& bounds);
  Bounds bounds_of(const ir::Value& value) const;
  ClassId simplify(ir::Value& value);
  ClassId simplify_with(ir::Value& value, std::uint32_t k);
  ClassId simplify_and(ir::Value& value, std::uint32_t k);
  ClassId simplify_shift(ir::Value& value, std::uint32_t k);
  bool simplify_once(Comparison& comparison);
  bool simplify_equal(Comparison& comparison, std::uint32_t k);
  bool simplify_bits(Comparison& comparison, std::uint32_t k);
  bool simplify_order(Comparison& comparison, std::uint32_t k);

  std::vector<Node> nodes_;
  std::vector<ClassId> classes_;  // By ValueId.
  std::unordered_map<ir::Value, ClassId, Hash, Same> known_;
};

// Whether the value gives another number each time it is made, so that it must not be made twice.
bool is_random(const ir::Value& value);

}  // namespace weir::opt
