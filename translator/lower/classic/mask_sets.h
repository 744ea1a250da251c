// Sets of numbers from a small range (ports): several members to one instruction.
//
// Compares with the number itself find n members that are not neighbours in n instructions, and not
// in fewer (switch_tree.h). It takes fewer if the number is mixed first. Once A has been
// multiplied by a good constant, some members have more bits that are 0 in common than chance gives
// to any other number of the range, and one `jset` finds all of them:
//
//   mul  #0x5bd1e995
//   jset #0x40a1b5c8   jt next, jf hit     three members have none of these bits; nobody else
//   jset #0x8c2e1761   jt next, jf hit     two others
//   xor  #0x2f4d0c9b                       and so on with what is left
//
// Multiplications by odd numbers, additions and exclusive ors lose nothing, so that A is never
// loaded again. Constants are found by trying, and hold because every number of the range has been
// tried with them. Of 50 members between 0 and 65535 some 35 instructions are left.
//
// How far this could go: to tell n members from the others of m numbers takes log2(m choose n)
// bits, and an instruction's constant has 32. For 100 ports that is 11 bits a member. For 50
// addresses of 32 bits it is 28 bits a member: a constant holds one, and two constants do not hold
// three (83 bits). So addresses that follow no rule take one compare each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "cbpf/instruction.h"

namespace weir::lower::classic {

// A = A `operation` k, then a jset for each mask: a number with none of its bits is a member.
struct PackedStep {
  cbpf::Code operation = cbpf::kMul;  // Or kXor, kAdd.
  std::uint32_t k = 0;
  std::vector<std::uint32_t> masks;
};

struct PackedSet {
  std::vector<PackedStep> steps;
  std::vector<std::uint32_t> rest;  // Members that are asked for one by one, as they are in A then.

  // In instructions.
  std::size_t size() const;
};

inline constexpr std::size_t kFewestPacked = 12;
inline constexpr std::size_t kMostPacked = 50;
inline constexpr std::uint32_t kWidestPacked = 0xffff;  // From the lowest number to the highest.

// Packs sets and remembers them, as programs are made more than once.
class Packer {
 public:
  // Finds out, of numbers from low to high, whether they are among the members (sorted, all from
  // low to high). Nothing is packed when there are fewer or more of them or the range is wider than
  // said above, nor after so many sets that more would take too long. About a millisecond a member
  // the first time.
  const PackedSet& pack(std::span<const std::uint32_t> members, std::uint32_t low,
                        std::uint32_t high);

 private:
  std::map<std::pair<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::uint32_t>>,
           PackedSet>
      known_;
};

}  // namespace weir::lower::classic
