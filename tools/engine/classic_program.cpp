#include "tools/engine/programs.h"

namespace weir::engine {

Result<cbpf::ValidatedProgram> classic_program(const Filter& filter) {
  if (filter.set_tests.empty()) {
    return filter.program;
  }
  return translate_classic(filter.program,
                           {.link_type = filter.link_type, .set_tests = &filter.set_tests});
}

}  // namespace weir::engine
