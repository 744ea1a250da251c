#include "translator/opt/extended/sink_vlan_check.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "translator/ir/builder.h"
#include "translator/ir/rewrite.h"

namespace weir::lower {
namespace {

using ir::BlockId;
using ir::Compare;
using ir::End;
using ir::Op;
using ir::ValueId;

// More ways to accept would make the program longer for little.
constexpr std::size_t kMostAccepting = 2;

bool is_number(const ir::Function& function, ValueId id, std::uint32_t number) {
  return function.values[id].op == Op::kConstant && function.values[id].k == number;
}

// Whether the block does nothing but reject.
bool rejects(const ir::Function& function, BlockId id) {
  const ir::Block& block = function.blocks[id];
  return block.body.empty() && block.terminator.end == End::kReturn &&
         is_number(function, block.terminator.a, 0);
}

// The edge of the first block for packets without a tag, if those with one are rejected.
std::optional<std::size_t> edge_without_tag(const ir::Function& function) {
  const ir::Block& entry = function.blocks.front();
  const ir::Terminator& end = entry.terminator;
  if (end.end != End::kBranch || !is_number(function, end.b, 0) ||
      (end.compare != Compare::kEq && end.compare != Compare::kNe)) {
    return std::nullopt;
  }
  const ir::Value& asked = function.values[end.a];
  if (asked.op != Op::kAncillary ||
      asked.k != static_cast<std::uint32_t>(cbpf::Extension::kVlanAvail) ||
      ir::count_uses(function)[end.a] != 1) {
    return std::nullopt;
  }
  const std::size_t without = end.compare == Compare::kEq ? 0 : 1;
  const bool rejected = rejects(function, end.edges[1 - without].to);
  return rejected ? std::optional(without) : std::nullopt;
}

// The blocks that return something else than 0.
std::vector<BlockId> accepting_blocks(const ir::Function& function) {
  std::vector<BlockId> accepting;
  for (BlockId at = 0; at < function.blocks.size(); ++at) {
    const ir::Terminator& end = function.blocks[at].terminator;
    if (end.end == End::kReturn && !is_number(function, end.a, 0)) {
      accepting.push_back(at);
    }
  }
  return accepting;
}

}  // namespace

void sink_vlan_check(ir::Function& function) {
  const std::optional<std::size_t> without = edge_without_tag(function);
  if (!without) {
    return;
  }
  const std::vector<BlockId> accepting = accepting_blocks(function);
  if (accepting.size() > kMostAccepting) {
    return;
  }
  ir::Block& entry = function.blocks.front();
  const ir::Value asked = function.values[entry.terminator.a];
  std::erase(entry.body, entry.terminator.a);
  const ir::Edge plain = entry.terminator.edges[*without];
  entry.terminator = {.end = End::kJump, .edges = {plain}, .origin = entry.terminator.origin};

  ir::FunctionBuilder builder(function);
  for (const BlockId at : accepting) {
    const ir::Terminator accept = function.blocks[at].terminator;
    builder.set_origin(accept.origin);
    const ValueId available = builder.append(at, asked);
    const BlockId yes = builder.add_block();
    const BlockId no = builder.add_block();
    builder.end_branch(at, Compare::kEq, available, builder.constant(0), {.to = yes}, {.to = no});
    function.blocks[yes].terminator = accept;
    builder.end_return(no, builder.constant(0));
  }
  ir::remove_unreachable_blocks(function);
}

}  // namespace weir::lower
