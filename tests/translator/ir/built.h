// Classic programs and the functions they become, for the tests of building.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cbpf/compile.h"
#include "cbpf/validate.h"
#include "translator/ir/build/build.h"
#include "translator/ir/text/text.h"

namespace weir::ir {

using namespace cbpf;  // NOLINT: programs are written in its codes.

constexpr Dialect kPcap = Dialect::kLibpcap;
constexpr Dialect kKernel = Dialect::kLinux;

// The text between the braces of the function, or the error.
inline std::string built(std::vector<Instruction> code, Dialect dialect,
                         int link_type = kLinkTypeEthernet, const Loops& loops = {}) {
  const auto program = validate({std::move(code)}, dialect);
  if (!program) {
    return to_string(program.error());
  }
  const auto function = build(*program, link_type, {}, loops);
  if (!function) {
    return to_string(function.error());
  }
  const std::string text = print(*function);
  const std::size_t begin = text.find('\n');
  return text.substr(begin, text.size() - begin - 2);
}

inline constexpr Instruction kReturnA = {kRet | kA, 0, 0, 0};
inline constexpr Instruction kLoadLength = {kLd | kLen, 0, 0, 0};
inline constexpr Instruction kLoadXLength = {kLdx | kLen, 0, 0, 0};

}  // namespace weir::ir
