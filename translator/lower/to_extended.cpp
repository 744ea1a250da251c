#include "translator/lower/to_extended.h"

#include <algorithm>
#include <string>
#include <utility>

#include "translator/ir/rewrite.h"
#include "translator/lower/extended/emit/emit.h"
#include "translator/lower/extended/emit/fold_masks.h"
#include "translator/lower/extended/emit/merge_tails.h"
#include "translator/lower/extended/emit/thread_jumps.h"
#include "translator/lower/extended/regalloc/allocate.h"
#include "translator/lower/extended/regalloc/liveness.h"
#include "translator/lower/extended/select/select.h"
#include "translator/opt/extended/combine_field_tests.h"
#include "translator/opt/extended/combine_range_tests.h"
#include "translator/opt/extended/hoist_selective_test.h"
#include "translator/opt/extended/order_ethertype_tests.h"
#include "translator/opt/extended/share_bounds_check.h"
#include "translator/opt/extended/sink_bounds_checks.h"
#include "translator/opt/extended/sink_vlan_check.h"
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

// What is done to the function before instructions are chosen.
ir::Function prepare(ir::Function function, const Target& target, bool in_place) {
  ir::remove_unreachable_blocks(function);
  combine_range_tests(function);
  opt::merge_blocks(function);  // Blocks that have become the same by that.
  combine_field_tests(function);
  sink_bounds_checks(function);
  if (in_place || target.reorder_tests_by_selectivity) {
    order_ethertype_tests(function);
    hoist_selective_test(function);
  }
  if (in_place || target.access == PacketAccess::kDirect) {
    share_bounds_check(function);
  }
  if (target.vlan_stripped) {
    sink_vlan_check(function);
  }
  return function;
}

// No frame is shorter that a network carries: of Ethernet's 60 bytes those that ARP uses.
constexpr std::uint32_t kShortestFrame = 42;

// Fixed offsets within the shortest frame are checked once for all, also those that only some ways
// ask for: what is known to be there can be read earlier and together.
InPlaceForm in_place_form(ir::Function function, const Target& target) {
  std::uint32_t least = 0;
  for (const ir::Block& block : function.blocks) {
    for (const ir::ValueId id : block.body) {
      const ir::Value& value = function.values[id];
      if (value.op == ir::Op::kNeed && value.a == ir::kNoValue && value.k <= kShortestFrame) {
        least = std::max(least, value.k);
      }
    }
  }
  if (least != 0) {
    const auto need = static_cast<ir::ValueId>(function.values.size());
    function.values.push_back({.op = ir::Op::kNeed, .k = least});
    auto& body = function.blocks.front().body;
    body.insert(body.begin(), need);
    opt::merge_needs(function);
  }
  return {.function = prepare(std::move(function), target, true), .least = least};
}

}  // namespace

Result<ebpf::Program> to_extended(const ir::Function& function, const Target& target,
                                  const std::optional<Rule>& rule) {
  if (rule && target.map_lookup_helper == 0) {
    return fail(ErrorCode::kUnsupported, "a standing rule needs a hook that can drop packets; " +
                                             std::string(target.name) + " is none");
  }
  const ir::Function prepared = prepare(function, target, false);
  std::optional<InPlaceForm> in_place;
  if (target.access == PacketAccess::kLoadAbsolute && target.skb_layout) {
    in_place = in_place_form(function, target);
  }
  auto machine = select(prepared, in_place, target, rule);
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
