// The interface a command is for: `-i IF` or the first word.
#pragma once

#include <optional>
#include <string>

#include "cbpf/base/result.h"
#include "tools/weir/command.h"

namespace weir::tool {

// Nothing when none is named. kUsage for more than one, or for an empty name.
inline Result<std::optional<std::string>> named_interface(const Options& options) {
  if (options.words().size() + options.count("interface") > 1) {
    return fail(ErrorCode::kUsage, "more than one interface is named; the command takes one");
  }
  if (!options.has("interface") && options.words().empty()) {
    return std::nullopt;
  }
  std::string name = options.has("interface") ? options.get("interface") : options.words().front();
  if (name.empty()) {
    return fail(ErrorCode::kUsage, "the name of the interface is empty");
  }
  return name;
}

}  // namespace weir::tool
