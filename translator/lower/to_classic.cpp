#include "translator/lower/to_classic.h"

#include <utility>
#include <vector>

#include "cbpf/validate.h"
#include "translator/lower/classic_alike.h"
#include "translator/lower/classic_layout.h"
#include "translator/lower/classic_needs.h"
#include "translator/lower/classic_select.h"
#include "translator/lower/classic_tidy.h"
#include "translator/lower/classic_values.h"

namespace weir::lower {
namespace {

// The program with or without values shared through scratch memory. An instruction that asks for a
// need takes a register away from what was in it, so that code is selected again until nothing is
// left to ask; each time there is more that is asked for, so it ends.
Result<cbpf::Program> lower_once(const ir::Function& function, bool share,
                                 const ClassicOptions& options) {
  const auto slots = classic::assign_slots(function, share);
  if (!slots) {
    return fail(ErrorCode::kUnsupported,
                "the filter keeps more values than the classic machine has words for");
  }
  std::vector<bool> explicit_effects(function.values.size());
  while (true) {
    auto code = classic::select({function, *slots, explicit_effects, options});
    if (!code) {
      return tl::make_unexpected(std::move(code).error());
    }
    if (!classic::mark_uncovered(*code, explicit_effects)) {
      classic::tidy(*code);
      return classic::lay_out(*code);
    }
  }
}

}  // namespace

Result<cbpf::Program> to_classic(const ir::Function& function, const ClassicOptions& options) {
  ir::Function canonical = function;
  classic::make_canonical(canonical);
  auto program = lower_once(canonical, false, options);
  const auto try_also = [&](const ir::Function& other, bool share) {
    auto found = lower_once(other, share, options);
    if (found && (!program || found->instructions.size() < program->instructions.size())) {
      program = std::move(found);
    }
  };
  try_also(canonical, true);
  if (classic::merge_alike(canonical)) {
    try_also(canonical, false);
    try_also(canonical, true);
  }
  if (!program) {
    return program;
  }
  auto validated = cbpf::validate(*program, options.dialect);
  if (!validated) {
    return fail(ErrorCode::kUnsupported, validated.error().message);
  }
  return program;
}

}  // namespace weir::lower
