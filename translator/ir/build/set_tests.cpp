#include "translator/ir/build/set_tests.h"

#include <algorithm>

#include "cbpf/instruction.h"

namespace weir::ir {

Status check_set_tests(const cbpf::Program& program, const SetTests& tests) {
  const std::vector<cbpf::Instruction>& code = program.instructions;
  const auto is_jeq = [&](std::uint32_t at) {
    return at < code.size() && code[at].code == (cbpf::kJmp | cbpf::kJeq | cbpf::kK);
  };
  const auto is_earlier = [&](std::uint32_t at, std::uint32_t than) {
    return is_jeq(at) && at < than;
  };
  for (const SetTest& test : tests.tests) {
    const bool right = is_jeq(test.instruction) && test.set < tests.sets.size() &&
                       std::all_of(test.before.begin(), test.before.end(), [&](std::uint32_t at) {
                         return is_earlier(at, test.instruction);
                       });
    if (!right) {
      return fail(ErrorCode::kInvalidProgram, "a set test stands where there is no compare",
                  {.instruction = test.instruction});
    }
  }
  return {};
}

}  // namespace weir::ir
