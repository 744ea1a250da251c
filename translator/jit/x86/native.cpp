#include "translator/jit/compile.h"

namespace weir::jit {

std::optional<Processor> native_processor() { return Processor::kX86; }

bool has_simd() { return __builtin_cpu_supports("avx2") != 0; }

}  // namespace weir::jit
