// Branches as tests of one value: the part that the passes which combine chains of them share.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "translator/ir/function.h"

namespace weir::opt {

// A branch that goes `yes` when the value is one of the members, else `no`.
struct ValueTest {
  ir::ValueId value = ir::kNoValue;
  std::uint8_t words = 1;          // Of the value, which may be a key.
  std::vector<ir::Range> members;  // As of a set.
  bool is_set = false;             // It asks for a set of the function.
  ir::Edge yes;
  ir::Edge no;
};

// The branch as such a question: a compare with a constant, for equality also of what a mask of
// leading bits leaves of a value, or a set test. Nothing for others, and where both ways are the
// same. O(members).
std::optional<ValueTest> read_value_test(const ir::Function& function, const ir::Terminator& end);

// Whether two edges lead to the same place with the same arguments.
bool same_way(const ir::Edge& a, const ir::Edge& b);

// Whether what the block makes can be made at the end of the only block before it: there is no
// effect, and nothing that is only defined where the tests before it lead.
bool may_move_up(const ir::Function& function, const ir::Block& block);

}  // namespace weir::opt
