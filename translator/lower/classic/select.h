// Selection of classic instructions: what stands in A and X is followed from block to block, values
// are computed where they are asked for, and what is there already is not computed again.
#pragma once

#include <cstddef>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/ir/function.h"
#include "translator/lower/classic/canonicalize.h"
#include "translator/lower/classic/code.h"
#include "translator/lower/classic/mask_sets.h"
#include "translator/lower/classic/switch_tree.h"
#include "translator/lower/target/classic_options.h"

namespace weir::lower::classic {

struct SelectInput {
  const ir::Function& function;  // As make_canonical() leaves it.
  const Slots& slots;
  // Needs and guards, by value, that must be asked explicitly.
  const std::vector<bool>& explicit_effects;
  ClassicOptions options;
  std::size_t leaf = kAnyLeaf;  // Of search trees.
  Packer* packer = nullptr;     // Without it, sets are asked by compares.
};

// Every need and guard leaves an event, and an instruction only where `explicit_effects` asks for
// it. kUnsupported as to_classic().
Result<Code> select(const SelectInput& input);

}  // namespace weir::lower::classic
