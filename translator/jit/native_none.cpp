#include "translator/jit/compile.h"

namespace weir::jit {

std::optional<Processor> native_processor() { return std::nullopt; }

}  // namespace weir::jit
