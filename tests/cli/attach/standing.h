// What `weir show` and `weir stats` say of the one rule that a test has attached.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/cli.h"

namespace weir::cli {

// The element of "programs" in a successful answer that has exactly one; else a test failure.
nlohmann::json only_program(const Answer& answer);

// The rule's counters once `total` packets have gone through, or two seconds later: the kernel
// delivers packets in its own time.
nlohmann::json counted(const std::string& interface, int total);

}  // namespace weir::cli
