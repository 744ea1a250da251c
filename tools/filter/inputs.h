// Which savefiles the names of a command line stand for.
#pragma once

#include <string>
#include <vector>

#include "cbpf/base/result.h"

namespace weir::filter {

// "-" and the names of files stand for themselves. A folder stands for the savefiles in it, not for
// those in folders below nor for hidden ones, and a pattern (*, ?, [) that is no file's name for
// what the shell would make of it, both in the order of their names. What is in a folder or matches
// a pattern and is no savefile is passed over; what cannot be opened is kept, so that the reader
// says so.
//
// kInvalidFile when a folder or a pattern yields nothing.
Result<std::vector<std::string>> expand_inputs(const std::vector<std::string>& names);

}  // namespace weir::filter
