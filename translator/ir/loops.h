// What becomes of the loops of a classic program, its backward jumps, when it is built as IR.
#pragma once

#include <cstdint>
#include <optional>

namespace weir::ir {

struct Loops {
  enum class Form : std::uint8_t {
    kRepeat,    // The function repeats (End::kRepeat).
    kUnrolled,  // The loop's instructions follow one another `most` + 1 times.
  };
  Form form = Form::kRepeat;
  // How often a loop's backward jumps are taken for a packet, which is rejected where they would be
  // taken once more. Without a number it is cbpf::max_backward_jumps() of the captured length;
  // kUnrolled wants one.
  std::optional<std::uint32_t> most;
};

}  // namespace weir::ir
