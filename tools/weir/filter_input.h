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

// Where the packets of a filter come from, as far as the meaning of an expression hangs on it.
struct TrafficSource {
  int link_type = 1;
  bool savefile = false;
  bool swapped = false;  // A savefile that has not this machine's byte order.
};

// Reads the filter the options name. `source` is what the command knows of the traffic (a savefile,
// an interface); -y wins over its link type.
Result<FilterInput> read_filter_input(const Options& options, const TrafficSource& source);
inline Result<FilterInput> read_filter_input(const Options& options, int link_type = 1) {
  return read_filter_input(options, TrafficSource{.link_type = link_type});
}

// The whole of a text file, "-" being stdin.
Result<std::string> read_text_file(const std::string& path);

}  // namespace weir::tool
