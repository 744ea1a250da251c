// From a program to the form it is run in.
#pragma once

#include <memory>
#include <span>

#include "cbpf/base/result.h"
#include "translator/vm/code.h"

namespace weir::vm {

// The errors are those of Machine::load(). Every jump of the Ops leads to an Op, and none of them
// falls off the end. O(n).
Result<std::unique_ptr<Code>> make_code(const ebpf::Program& program,
                                        std::span<const Helper> helpers,
                                        const LoadOptions& options);

}  // namespace weir::vm
