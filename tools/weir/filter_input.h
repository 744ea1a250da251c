// How a filter is given to a command: an expression, assembly or bytecode.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cbpf/base/result.h"
#include "cbpf/validate.h"
#include "tools/engine/engine.h"
#include "tools/weir/command.h"

namespace weir::tool {

// The filter as given, and the validated program it stands for.
struct FilterInput {
  std::string text;  // The expression, or "" where assembly or bytecode was given.
  int link_type = 1;
  std::uint32_t snaplen = 0;
  std::optional<cbpf::ValidatedProgram> program;  // Always there once it is read.

  engine::Filter filter() const { return {*program, link_type}; }
};

// The options that say how the filter is given, and a command's own behind them.
std::vector<OptionSpec> filter_input_options(std::vector<OptionSpec> more);

// Reads the filter the options name. `link_type` is that of the traffic where the command knows it
// (a savefile, an interface); -y wins over it.
Result<FilterInput> read_filter_input(const Options& options, int link_type = 1);

// The whole of a text file, "-" being stdin.
Result<std::string> read_text_file(const std::string& path);

}  // namespace weir::tool
