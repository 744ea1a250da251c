#include "translator/opt/extended/order_ethertype_tests.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ir/graph.h"

namespace weir::lower {
namespace {

using ir::BlockId;
using ir::Compare;
using ir::Edge;
using ir::End;
using ir::Op;
using ir::Terminator;
using ir::Value;

constexpr int kEthernet = 1;  // DLT_EN10MB.
constexpr std::uint32_t kEtherTypeAt = 12;
constexpr std::uint32_t kIpv4 = 0x800;

class Arranger {
 public:
  explicit Arranger(ir::Function& function) : function_(function), predecessors_(function) {}

  void run() {
    for (BlockId at = 0; at < function_.blocks.size(); ++at) {
      if (exchange(at)) {
        put_behind(at);
        return;
      }
    }
  }

 private:
  // The edge for equal, if the block ends with a compare of the EtherType and a number.
  std::optional<std::size_t> equal_edge(const Terminator& end) const {
    if (end.end != End::kBranch || function_.values[end.b].op != Op::kConstant ||
        (end.compare != Compare::kEq && end.compare != Compare::kNe)) {
      return std::nullopt;
    }
    const Value& key = function_.values[end.a];
    const bool is_type =
        key.op == Op::kLoad && key.width == 2 && key.a == ir::kNoValue && key.k == kEtherTypeAt;
    return is_type ? std::optional<std::size_t>(end.compare == Compare::kEq ? 0 : 1) : std::nullopt;
  }

  // Lets the block ask what the one behind it asked, if that is for IPv4.
  bool exchange(BlockId at) {
    Terminator& end = function_.blocks[at].terminator;
    const auto equal = equal_edge(end);
    if (!equal) {
      return false;
    }
    const Edge& no = end.edges[1 - *equal];
    ir::Block& next = function_.blocks[no.to];
    const auto next_equal = equal_edge(next.terminator);
    if (!next_equal || next.terminator.a != end.a || next.terminator.b == end.b ||
        function_.values[next.terminator.b].k != kIpv4 || !next.body.empty() ||
        !next.parameters.empty() || predecessors_.of(no.to).size() != 1) {
      return false;
    }
    std::swap(end.edges[*equal], next.terminator.edges[*next_equal]);
    std::swap(end.b, next.terminator.b);
    std::swap(end.origin, next.terminator.origin);
    ipv4_ = end.edges[*equal].to;
    return true;
  }

  // Puts the blocks in an order in which edges go forward, each behind the one that leads to it,
  // those for IPv4 first behind `at`.
  void put_behind(BlockId at) {
    std::vector<BlockId> order;  // Backward.
    std::vector<bool> seen(function_.blocks.size(), false);
    struct Step {
      BlockId block = 0;
      std::vector<BlockId> next;  // The one to stand nearest first; the last is visited first.
    };
    std::vector<Step> steps;
    const auto visit = [&](BlockId id) {
      seen[id] = true;
      Step step{.block = id};
      for (const Edge& edge : function_.blocks[id].terminator.edges) {
        step.next.push_back(edge.to);
      }
      std::sort(step.next.begin(), step.next.end());
      if (id == at) {
        std::stable_partition(step.next.begin(), step.next.end(),
                              [&](BlockId to) { return to == ipv4_; });
      }
      steps.push_back(std::move(step));
    };
    visit(0);
    while (!steps.empty()) {
      Step& step = steps.back();
      if (step.next.empty()) {
        order.push_back(step.block);
        steps.pop_back();
        continue;
      }
      const BlockId next = step.next.back();
      step.next.pop_back();
      if (!seen[next]) {
        visit(next);
      }
    }
    std::reverse(order.begin(), order.end());
    renumber(order);
  }

  void renumber(const std::vector<BlockId>& order) {
    std::vector<BlockId> place(function_.blocks.size(), 0);
    std::vector<ir::Block> blocks;
    for (const BlockId id : order) {
      place[id] = static_cast<BlockId>(blocks.size());
      blocks.push_back(std::move(function_.blocks[id]));
    }
    for (ir::Block& block : blocks) {
      for (Edge& edge : block.terminator.edges) {
        edge.to = place[edge.to];
      }
    }
    function_.blocks = std::move(blocks);
  }

  ir::Function& function_;
  const ir::Predecessors predecessors_;
  BlockId ipv4_ = 0;
};

}  // namespace

void order_ethertype_tests(ir::Function& function) {
  if (function.link_type == kEthernet) {
    Arranger(function).run();
  }
}

}  // namespace weir::lower
