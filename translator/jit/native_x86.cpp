#include "translator/jit/compile.h"

namespace weir::jit {

std::optional<Processor> native_processor() { return Processor::kX86; }

}  // namespace weir::jit
