// Runs one pass on a function in text form, as the before/after tests are written.
#pragma once

#include <string>
#include <string_view>

#include "translator/ir/text/text.h"
#include "translator/opt/pass.h"

namespace weir::opt {

// The text between the first and the last line after the pass; or the error. `blocks` is what
// stands between the braces before it.
inline std::string after(std::string_view pass, const std::string& blocks) {
  auto function = ir::parse("function EN10MB {" + blocks + "}");
  if (!function) {
    return to_string(function.error());
  }
  PassOptions options;
  options.passes = {std::string(pass)};
  options.check = true;
  if (const auto report = run_passes(*function, options); !report) {
    return to_string(report.error());
  }
  const std::string text = ir::print(*function);
  const std::size_t begin = text.find('\n');
  return text.substr(begin, text.size() - begin - 2);
}

}  // namespace weir::opt
