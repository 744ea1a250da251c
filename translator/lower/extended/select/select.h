// Instruction selection: IR to the machine form.
#pragma once

#include <optional>

#include "cbpf/base/result.h"
#include "translator/ir/function.h"
#include "translator/lower/extended/machine.h"
#include "translator/lower/target/rule.h"
#include "translator/lower/target/target.h"

namespace weir::lower {

// What reads packets in place (target.skb_layout): the same filter for packets whose linear part
// has at least `least` bytes; all others go through the function's other form. The sets are the
// same.
struct InPlaceForm {
  ir::Function function;
  std::uint32_t least = 0;
};

// Chooses machine instructions for the whole function, and for its form in place where there is
// one. Only blocks that something leads to are there in the result, and every block leads to a
// return. kUnsupported, naming both, when the function reads an extension that the target does not
// answer. O(n log n).
Result<machine::Function> select(const ir::Function& function,
                                 const std::optional<InPlaceForm>& in_place, const Target& target,
                                 const std::optional<Rule>& rule);

}  // namespace weir::lower
