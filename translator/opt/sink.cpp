// Code sinking: moves each value down to where it is used, into the lowest block of the dominator
// tree that is on every path to all its uses, just before the first of them there. So a load that
// only one side of a branch uses is made on that side alone. Sound because values are pure and
// never move up: bounds checks that held at the old place hold at the new one. A value is never
// moved to where it would be computed twice. O(values log blocks). Test:
// tests/translator/opt/sink_test.cpp.
#include <cstddef>
#include <vector>

#include "translator/ir/graph.h"
#include "translator/ir/operands.h"
#include "translator/ir/rewrite.h"
#include "translator/opt/analysis/value_classes.h"
#include "translator/opt/passes.h"

namespace weir::opt {
namespace {

using ir::BlockId;
using ir::kNoValue;
using ir::ValueId;

constexpr BlockId kNowhere = 0xffffffff;

class Sinker {
 public:
  explicit Sinker(ir::Function& function)
      : function_(function),
        predecessors_(function),
        dominators_(predecessors_, function.blocks.size()),
        place_(function.values.size(), kNowhere),
        waits_(function.values.size()),
        arrivals_(function.blocks.size()) {}

  void run() {
    for (std::size_t at = function_.blocks.size(); at-- > 0;) {
      find_places(static_cast<BlockId>(at));
    }
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      write(at);
    }
  }

 private:
  // Backward, so that the users of a value have found theirs before it.
  void find_places(BlockId at) {
    const ir::Block& block = function_.blocks[at];
    ir::for_each_terminator_operand(block.terminator, [&](ValueId id) { use(id, at); });
    for (std::size_t i = block.body.size(); i-- > 0;) {
      const ValueId id = block.body[i];
      const ir::Value& value = function_.values[id];
      const bool stays = ir::is_effect(value.op) || is_random(value) || place_[id] == kNowhere;
      if (stays) {
        place_[id] = at;
      } else if (place_[id] != at) {
        waits_[id] = true;
        arrivals_[place_[id]].push_back(id);
      }
      ir::for_each_operand(value, [&](ValueId operand) { use(operand, place_[id]); });
    }
  }

  void use(ValueId id, BlockId at) {
    place_[id] = place_[id] == kNowhere ? at : dominators_.common(place_[id], at);
  }

  void write(BlockId at) {
    ir::Block& block = function_.blocks[at];
    std::vector<ValueId> body;
    const auto bring = [&](ValueId id) { arrive(id, at, body); };
    for (const ValueId id : block.body) {
      if (place_[id] == at) {
        ir::for_each_operand(function_.values[id], bring);
        body.push_back(id);
      }
    }
    // The rest is for the terminator, and for the blocks below. The last to arrive stood first.
    for (std::size_t i = arrivals_[at].size(); i-- > 0;) {
      arrive(arrivals_[at][i], at, body);
    }
    block.body = std::move(body);
  }

  void arrive(ValueId id, BlockId at, std::vector<ValueId>& body) {
    if (id == kNoValue || !waits_[id] || place_[id] != at) {
      return;
    }
    waits_[id] = false;
    ir::for_each_operand(function_.values[id], [&](ValueId operand) { arrive(operand, at, body); });
    body.push_back(id);
  }

  ir::Function& function_;
  const ir::Predecessors predecessors_;
  const ir::Dominators dominators_;
  std::vector<BlockId> place_;  // By value: where it will stand.
  std::vector<bool> waits_;     // By value: whether it moves and has not been written yet.
  std::vector<std::vector<ValueId>> arrivals_;  // By block: those that move there, users first.
};

}  // namespace

void sink(ir::Function& function) {
  ir::remove_unreachable_blocks(function);
  Sinker(function).run();
}

}  // namespace weir::opt
