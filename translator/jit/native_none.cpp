#include "translator/jit/compile.h"

namespace weir::jit {

std::optional<Processor> native_processor() { return std::nullopt; }

bool has_simd() { return false; }

}  // namespace weir::jit
