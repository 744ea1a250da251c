#include "translator/lower/to_extended.h"

#include <string>

#include "translator/ir/rewrite.h"
#include "translator/lower/allocate.h"
#include "translator/lower/either_tests.h"
#include "translator/lower/emit.h"
#include "translator/lower/fold_masks.h"
#include "translator/lower/interval_tests.h"
#include "translator/lower/late_needs.h"
#include "translator/lower/late_tag.h"
#include "translator/lower/liveness.h"
#include "translator/lower/merge_tails.h"
#include "translator/lower/select.h"
#include "translator/lower/thread_jumps.h"
#include "translator/lower/wide_tests.h"
#include "translator/opt/passes.h"

namespace weir::lower {
namespace {

// Programs of more instructions are written once.
constexpr std::size_t kMaxTried = 128;

ebpf::Program shortest(const machine::Function& machine, const Allocation& allocation) {
  const auto written = [&](std::size_t rank) {
    const Emitted emitted = emit(machine, allocation, rank);
    return merge_tails(emitted.program, emitted.hot);
  };
  ebpf::Program first = written(0);
  if (first.instructions.size() > kMaxTried) {
    return first;
  }
  ebpf::Program second = written(1);
  return ebpf::slot_count(second.instructions) < ebpf::slot_count(first.instructions) ? second
                                                                                      : first;
}

}  // namespace

Result<ebpf::Program> to_extended(const ir::Function& function, const Target& target,
                                  const std::optional<Rule>& rule) {
  if (rule && target.map_lookup_helper == 0) {
    return fail(ErrorCode::kUnsupported, "a standing rule needs a hook that can drop packets; " +
                                             std::string(target.name) + " is none");
  }
  ir::Function prepared = function;
  ir::remove_unreachable_blocks(prepared);
  join_interval_tests(prepared);
  opt::merge_blocks(prepared);  // Blocks that have become the same by that.
  widen_tests(prepared);
  delay_needs(prepared);
  if (target.access == PacketAccess::kDirect || target.skb_layout) {
    check_once_for_either(prepared);
  }
  if (target.vlan_stripped) {
    delay_tag_test(prepared);
  }
  auto machine = select(prepared, target, rule);
  if (!machine) {
    return tl::make_unexpected(machine.error());
  }
  fold_masks(*machine);
  remove_dead(*machine);
  thread_jumps(*machine);
  const auto allocation = allocate(*machine);
  if (!allocation) {
    return tl::make_unexpected(allocation.error());
  }
  return shortest(*machine, *allocation);
}

}  // namespace weir::lower
