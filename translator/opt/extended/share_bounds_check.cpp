//   b1: need v1 + 16                            b1:  v4 = has v1 + 18
//       v2 = load 2 [v1 + 14]                        branch ne v4, 0 ? b1a : b1b
//       branch eq v2, 80 ? accept : b2          b1a: need v1 + 18
//   b2: need v1 + 18                   =>            v2 = load 2 [v1 + 14]
//       v3 = load 2 [v1 + 16]                        branch eq v2, 80 ? accept : b2
//       branch eq v3, 80 ? accept : reject      b1b: need v1 + 16
//                                                    v5 = load 2 [v1 + 14]
//                                                    branch eq v5, 80 ? accept : reject
//
// The need of b2 stays, and costs nothing, because it is covered on the only way there.
#include "translator/opt/extended/share_bounds_check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/builder.h"
#include "translator/ir/graph.h"
#include "translator/ir/operands.h"

namespace weir::lower {
namespace {

using ir::BlockId;
using ir::Op;
using ir::Value;
using ir::ValueId;

// How much farther the second field may lie: one port, or one IPv4 address. What lies farther is
// checked for seldom enough that a second way costs more than it saves.
constexpr std::uint32_t kMaxFarther = 4;

// A block that is to be taken apart in front of a need.
struct Plan {
  std::size_t need = 0;       // Its place in the block's body.
  std::uint32_t farther = 0;  // The k of the need that the other way begins with.
  std::size_t other = 0;      // The edge of that way.
};

class Rewriter {
 public:
  explicit Rewriter(ir::Function& function)
      : function_(function), builder_(function), predecessors_(function) {}

  void run() {
    std::vector<std::optional<Plan>> plans;
    for (const ir::Block& block : function_.blocks) {
      plans.push_back(plan(block));
    }
    if (std::none_of(plans.begin(), plans.end(),
                     [](const auto& each) { return each.has_value(); })) {
      return;
    }
    std::vector<ir::Block> old = std::move(function_.blocks);
    function_.blocks.clear();
    std::vector<BlockId> place(old.size());  // Of each block's beginning.
    BlockId next = 0;
    for (std::size_t at = 0; at < old.size(); ++at) {
      place[at] = next;
      next += plans[at] ? 3 : 1;
    }
    rejected_ = next;
    for (std::size_t at = 0; at < old.size(); ++at) {
      for (ir::Edge& edge : old[at].terminator.edges) {
        edge.to = place[edge.to];
      }
      if (plans[at]) {
        take_apart(std::move(old[at]), *plans[at]);
      } else {
        function_.blocks.push_back(std::move(old[at]));
      }
    }
    builder_.end_return(builder_.add_block(), builder_.constant(0));
  }

 private:
  // Whether the block does nothing but accept, so that what is known in it is no matter.
  bool accepts(const ir::Edge& edge) const {
    const ir::Block& block = function_.blocks[edge.to];
    if (!block.body.empty() || !edge.arguments.empty() ||
        block.terminator.end != ir::End::kReturn) {
      return false;
    }
    const Value& value = function_.values[block.terminator.a];
    return value.op == Op::kConstant && value.k != 0;
  }

  std::optional<Plan> plan(const ir::Block& block) const {
    if (block.terminator.end != ir::End::kBranch) {
      return std::nullopt;
    }
    Plan plan;
    plan.need = block.body.size();
    for (std::size_t i = 0; i < block.body.size(); ++i) {
      if (ir::is_effect(function_.values[block.body[i]].op)) {
        plan.need = i;
      }
    }
    if (plan.need == block.body.size() || function_.values[block.body[plan.need]].op != Op::kNeed) {
      return std::nullopt;
    }
    for (plan.other = 0; plan.other < 2; ++plan.other) {
      const ir::Edge& other = block.terminator.edges[plan.other];
      if (accepts(block.terminator.edges[1 - plan.other]) && other.arguments.empty() &&
          predecessors_.of(other.to).size() == 1 && asks_farther(block, plan)) {
        return plan;
      }
    }
    return std::nullopt;
  }

  // Whether the other way begins with a need of the same base that goes a little farther.
  bool asks_farther(const ir::Block& block, Plan& plan) const {
    const Value& need = function_.values[block.body[plan.need]];
    const auto& body = function_.blocks[block.terminator.edges[plan.other].to].body;
    const auto first = std::find_if(body.begin(), body.end(), [&](ValueId id) {
      return ir::is_effect(function_.values[id].op);
    });
    if (first == body.end()) {
      return false;
    }
    const Value& farther = function_.values[*first];
    plan.farther = farther.k;
    return farther.op == Op::kNeed && farther.a == need.a && farther.k > need.k &&
           farther.k - need.k <= kMaxFarther;
  }

  void take_apart(ir::Block old, const Plan& plan) {
    const auto middle = old.body.begin() + static_cast<std::ptrdiff_t>(plan.need);
    const Value need = function_.values[*middle];
    const std::vector<ValueId> rest(middle + 1, old.body.end());
    builder_.set_origin(need.origin);

    const BlockId head = builder_.add_block();
    const BlockId both = builder_.add_block();
    const BlockId one = builder_.add_block();
    function_.blocks[head].parameters = old.parameters;
    function_.blocks[head].body.assign(old.body.begin(), middle);
    const ValueId has = builder_.append(head, {.op = Op::kHas, .k = plan.farther, .a = need.a});
    builder_.end_branch(head, ir::Compare::kNe, has, builder_.constant(0), {.to = both},
                        {.to = one});

    builder_.need(both, need.a, plan.farther);
    auto& body = function_.blocks[both].body;
    body.insert(body.end(), rest.begin(), rest.end());
    function_.blocks[both].terminator = old.terminator;

    builder_.need(one, need.a, need.k);
    ir::Terminator end = std::move(old.terminator);
    end.edges[plan.other] = {.to = rejected_};
    copy(one, rest, end);
    function_.blocks[one].terminator = std::move(end);
  }

  // Makes the values anew at the end of the block, and lets the terminator read those.
  void copy(BlockId to, const std::vector<ValueId>& values, ir::Terminator& end) {
    std::map<ValueId, ValueId> copies;
    const auto rename = [&](ValueId& id) {
      const auto found = copies.find(id);
      id = found == copies.end() ? id : found->second;
    };
    for (const ValueId id : values) {
      Value value = function_.values[id];
      ir::for_each_operand(value, rename);
      builder_.set_origin(value.origin);
      copies[id] = builder_.append(to, value);
    }
    ir::for_each_terminator_operand(end, rename);
  }

  ir::Function& function_;
  ir::FunctionBuilder builder_;
  const ir::Predecessors predecessors_;
  BlockId rejected_ = 0;  // A block that returns 0.
};

}  // namespace

void share_bounds_check(ir::Function& function) { Rewriter(function).run(); }

}  // namespace weir::lower
