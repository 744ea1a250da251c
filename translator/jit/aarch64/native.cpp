#include "translator/jit/compile.h"

namespace weir::jit {

std::optional<Processor> native_processor() { return Processor::kAArch64; }

bool has_simd() { return false; }

}  // namespace weir::jit
