#include "translator/lower/to_classic.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "cbpf/validate.h"
#include "translator/lower/classic/bounds_checks.h"
#include "translator/lower/classic/canonicalize.h"
#include "translator/lower/classic/layout.h"
#include "translator/lower/classic/mask_sets.h"
#include "translator/lower/classic/reorder_tests.h"
#include "translator/lower/classic/select.h"
#include "translator/lower/classic/share_code_by_offset.h"
#include "translator/lower/classic/simplify_cfg.h"
#include "translator/opt/classic/drop_implied_checks.h"
#include "translator/opt/classic/share_set_tests.h"
#include "translator/opt/pass.h"

namespace weir::lower {
namespace {

// Leaves of search trees, the quickest first.
constexpr std::size_t kLeaves[] = {16, 24, 32, 48, 64, 96, 128};
// Jumps of programs that are shorter all reach.
constexpr std::size_t kReach = 255;

// How a program is made.
struct Way {
  std::size_t function = 0;
  bool share = false;  // Values, through scratch memory.
  classic::Packer* packer = nullptr;
  std::size_t leaf = classic::kAnyLeaf;
};

struct Lowered {
  cbpf::Program program;
  // What it would be without what other optimisers do not do.
  std::size_t plain_size = 0;

  std::size_t size() const { return program.instructions.size(); }
};

// An instruction that asks for a need takes a register away from what was in it, so that code is
// selected again until nothing is left to ask; each time there is more that is asked for, so it
// ends.
Result<Lowered> lower_once(const ir::Function& function, const Way& way,
                           const ClassicOptions& options) {
  const auto slots = classic::assign_slots(function, way.share);
  if (!slots) {
    return fail(ErrorCode::kUnsupported,
                "the filter keeps more values than the classic machine has words for");
  }
  std::vector<bool> explicit_effects(function.values.size());
  while (true) {
    auto code =
        classic::select({function, *slots, explicit_effects, options, way.leaf, way.packer});
    if (!code) {
      return tl::make_unexpected(std::move(code).error());
    }
    if (!classic::mark_uncovered(*code, explicit_effects)) {
      classic::simplify_cfg(*code);
      Lowered lowered;
      lowered.plain_size = classic::lay_out(*code).instructions.size();
      classic::share_code_by_offset(*code, options.shortest_shared);
      classic::reorder_tests(*code);
      classic::drop_repeated_compares(*code);
      classic::simplify_cfg(*code);
      lowered.program = classic::lay_out(*code);
      return lowered;
    }
  }
}

// Tries ways to make the program. The shortest is taken; then instructions that are saved against
// what others make of the filter are spent on search trees.
class Trials {
 public:
  explicit Trials(const ClassicOptions& options) : options_(options) {}

  void add(ir::Function function) {
    classic::make_canonical(function);
    functions_.push_back(function);
    if (classic::share_set_tests(function)) {
      functions_.push_back(std::move(function));
    }
  }

  Result<cbpf::Program> run() {
    for (std::size_t i = 0; i < functions_.size(); ++i) {
      for (classic::Packer* const packer : {static_cast<classic::Packer*>(nullptr), &packer_}) {
        for (const bool share : {false, true}) {
          keep_shorter({i, share, packer});
        }
        if (functions_[i].sets.empty()) {
          break;
        }
      }
    }
    if (best_) {
      make_quicker();
      return std::move(best_->program);
    }
    return tl::make_unexpected(best_.error());
  }

 private:
  void keep_shorter(const Way& way) {
    auto found = lower_once(functions_[way.function], way, options_);
    if (found && way.function == 0 && way.packer == nullptr) {
      others_ = std::min(others_, found->plain_size);
    }
    if (!best_ || (found && found->size() < best_->size())) {
      best_ = std::move(found);
      best_way_ = way;
    }
  }

  // How long the program may be: not longer than what libpcap's optimiser makes of long lists,
  // which is a compare for each member, three instructions more for a net, and another where the
  // jump behind it does not reach. If it can be 30 % shorter than that, let it be so (a little
  // more, as this is an estimate). One in 64 more is not worth being slow for.
  std::size_t longest() const {
    std::size_t theirs = others_ + (others_ > kReach ? others_ - kReach : 0);
    for (const ir::Set& set : functions_[0].sets) {
      theirs += 3 * static_cast<std::size_t>(std::count_if(
                        set.ranges.begin(), set.ranges.end(),
                        [](const ir::Range& range) { return range.low != range.high; }));
    }
    const std::size_t size = best_->size();
    const std::size_t shorter = theirs * 68 / 100;
    const std::size_t most = size <= shorter ? shorter : std::max(theirs, size + size / 64);
    return size <= cbpf::kMaxLinuxInstructions
               ? std::min<std::size_t>(most, cbpf::kMaxLinuxInstructions)
               : most;
  }

  void make_quicker() {
    const std::size_t most = longest();
    for (const std::size_t leaf : kLeaves) {
      Way way = best_way_;
      way.leaf = leaf;
      auto found = lower_once(functions_[way.function], way, options_);
      if (!found || found->program.instructions == best_->program.instructions) {
        return;  // There is no longer list.
      }
      if (found->size() <= most) {
        best_ = std::move(found);
        return;
      }
    }
  }

  const ClassicOptions& options_;
  std::vector<ir::Function> functions_;
  classic::Packer packer_;
  Result<Lowered> best_ = fail(ErrorCode::kUnsupported, "");
  Way best_way_;
  std::size_t others_ = classic::kAnyLeaf;
};

// Where needs are gone that stood between them, blocks can be passed, merged and put in order, one
// after the other from the end up.
void tidy_up(ir::Function& function) {
  constexpr int kRounds = 6;
  opt::PassOptions passes;
  passes.passes = {"value_numbering", "jump_threading", "merge_blocks", "gather_tests",
                   "value_numbering", "merge_blocks",   "dead_code"};
  std::size_t before = 0;
  for (int round = 0; round < kRounds && before != function.blocks.size(); ++round) {
    before = function.blocks.size();
    (void)opt::run_passes(function, passes);
  }
}

}  // namespace

Result<cbpf::Program> to_classic(const ir::Function& function, const ClassicOptions& options) {
  if (function.loop_words != 0) {
    return fail(ErrorCode::kUnsupported,
                "the machine of 1993 has no place for the state of a loop");
  }
  Trials trials(options);
  ir::Function bare = function;
  tidy_up(bare);
  trials.add(bare);
  if (classic::drop_implied_checks(bare)) {
    tidy_up(bare);
    trials.add(std::move(bare));
  }
  auto program = trials.run();
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
