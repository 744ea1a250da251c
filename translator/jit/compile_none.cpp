#include "translator/jit/compile.h"

namespace weir::jit {

Result<CompiledCode> compile(const CompileInput&) {
  return fail(ErrorCode::kUnsupported, "there is no native code for this kind of processor");
}

}  // namespace weir::jit
