// The words of the IR's text form, shared by its printer and its parser.
#pragma once

#include <optional>
#include <string_view>

#include "cbpf/instruction.h"
#include "translator/ir/function.h"

namespace weir::ir {

// "add" … "neg" of an arithmetic Op; "load", "length", "ancillary", "need", "guard" of the others.
std::string_view op_name(Op op);
// The arithmetic Op of that name.
std::optional<Op> arithmetic_by_name(std::string_view name);

// "eq", "ne", "gt", "ge", "lt", "le", "set", "clear".
std::string_view compare_name(Compare compare);
std::optional<Compare> compare_by_name(std::string_view name);

// The way back from cbpf::extension_name().
std::optional<cbpf::Extension> extension_by_name(std::string_view name);

}  // namespace weir::ir
