#include "tools/engine/programs.h"
#include "translator/ir/build.h"

namespace weir::engine {

Result<cbpf::ValidatedProgram> classic_program(const Filter& filter) {
  if (filter.set_tests.empty()) {
    return filter.program;
  }
  auto function = ir::build(filter.program, filter.link_type, filter.set_tests);
  if (!function) {
    return tl::make_unexpected(function.error());
  }
  return translate_classic(*std::move(function), filter.program.dialect());
}

}  // namespace weir::engine
