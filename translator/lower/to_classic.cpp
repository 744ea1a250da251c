#include "translator/lower/to_classic.h"

#include <utility>
#include <vector>

#include "cbpf/validate.h"
#include "translator/lower/classic_alike.h"
#include "translator/lower/classic_asked.h"
#include "translator/lower/classic_early_needs.h"
#include "translator/lower/classic_layout.h"
#include "translator/lower/classic_needs.h"
#include "translator/lower/classic_offsets.h"
#include "translator/lower/classic_packing.h"
#include "translator/lower/classic_select.h"
#include "translator/lower/classic_tidy.h"
#include "translator/lower/classic_values.h"
#include "translator/opt/pass.h"

namespace weir::lower {
namespace {

// The program with or without values shared through scratch memory. An instruction that asks for a
// need takes a register away from what was in it, so that code is selected again until nothing is
// left to ask; each time there is more that is asked for, so it ends.
Result<cbpf::Program> lower_once(const ir::Function& function, bool share, classic::Packer* packer,
                                 const ClassicOptions& options) {
  const auto slots = classic::assign_slots(function, share);
  if (!slots) {
    return fail(ErrorCode::kUnsupported,
                "the filter keeps more values than the classic machine has words for");
  }
  std::vector<bool> explicit_effects(function.values.size());
  while (true) {
    auto code = classic::select({function, *slots, explicit_effects, options, packer});
    if (!code) {
      return tl::make_unexpected(std::move(code).error());
    }
    if (!classic::mark_uncovered(*code, explicit_effects)) {
      classic::tidy(*code);
      classic::share_offsets(*code, options.shortest_shared);
      classic::ask_at_once(*code);
      classic::drop_repeated_compares(*code);
      classic::tidy(*code);
      return classic::lay_out(*code);
    }
  }
}

// Keeps the shortest of the programs that are tried.
class Shortest {
 public:
  explicit Shortest(const ClassicOptions& options) : options_(options) {}

  void try_all(ir::Function function) {
    classic::make_canonical(function);
    try_both(function);
    if (classic::merge_alike(function)) {
      try_both(function);
    }
  }

  Result<cbpf::Program> take() && { return std::move(best_); }

 private:
  void try_both(const ir::Function& function) {
    for (classic::Packer* const packer : {static_cast<classic::Packer*>(nullptr), &packer_}) {
      for (const bool share : {false, true}) {
        auto found = lower_once(function, share, packer, options_);
        if (!best_ || (found && found->instructions.size() < best_->instructions.size())) {
          best_ = std::move(found);
        }
      }
      if (function.sets.empty()) {
        return;
      }
    }
  }

  const ClassicOptions& options_;
  classic::Packer packer_;
  Result<cbpf::Program> best_ = fail(ErrorCode::kUnsupported, "");
};

// Where needs are gone that stood between them, blocks can be passed, merged and put in order.
void tidy_up(ir::Function& function) {
  opt::PassOptions passes;
  passes.passes = {"value_numbering", "jump_threading", "merge_blocks", "gather_tests",
                   "value_numbering", "merge_blocks",   "dead_code"};
  (void)opt::run_passes(function, passes);
}

}  // namespace

Result<cbpf::Program> to_classic(const ir::Function& function, const ClassicOptions& options) {
  Shortest shortest(options);
  shortest.try_all(function);
  ir::Function bare = function;
  if (classic::drop_early_needs(bare)) {
    tidy_up(bare);
    shortest.try_all(std::move(bare));
  }
  auto program = std::move(shortest).take();
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
