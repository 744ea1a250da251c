#include "translator/lower/target/packet_direction.h"

#include <cstdint>
#include <optional>

#include "translator/ir/builder.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/rewrite.h"

namespace weir::lower {
namespace {

using ir::Compare;
using ir::End;
using ir::Op;
using ir::Value;

// linux/if_packet.h: PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST and PACKET_OTHERHOST are the
// types of packets that come in.
constexpr std::uint32_t kLastInboundType = 3;
constexpr std::uint32_t kOutgoing = 4;  // PACKET_OUTGOING.

bool is_packet_type(const Value& value) {
  return value.op == Op::kAncillary &&
         value.k == static_cast<std::uint32_t>(cbpf::Extension::kPktType);
}

void replace_type(ir::Function& function) {
  ir::FunctionBuilder builder(function);
  const ir::ValueId outgoing = builder.constant(kOutgoing);
  ir::Replacements replacements(function);
  for (ir::ValueId v = 0; v < function.values.size(); ++v) {
    if (is_packet_type(function.values[v])) {
      replacements.replace(v, outgoing);
    }
  }
  replacements.apply(function);
}

// The outcome that a compare with `number` has for every inbound type.
std::optional<bool> outcome(Compare compare, std::uint32_t number) {
  const bool first = ir::evaluate_compare(compare, 0, number);
  for (std::uint32_t type = 1; type <= kLastInboundType; ++type) {
    if (ir::evaluate_compare(compare, type, number) != first) {
      return std::nullopt;
    }
  }
  return first;
}

void decide_branches(ir::Function& function) {
  for (ir::Block& block : function.blocks) {
    ir::Terminator& end = block.terminator;
    if (end.end != End::kBranch || !is_packet_type(function.values[end.a]) ||
        function.values[end.b].op != Op::kConstant) {
      continue;
    }
    if (const auto yes = outcome(end.compare, function.values[end.b].k)) {
      const ir::Edge taken = end.edges[*yes ? 0 : 1];
      end = {.end = End::kJump, .edges = {taken}, .origin = end.origin};
    }
  }
}

}  // namespace

void fold_packet_direction(ir::Function& function, PacketDirection direction) {
  bool reads_type = false;
  for (const Value& value : function.values) {
    reads_type = reads_type || is_packet_type(value);
  }
  if (!reads_type || direction == PacketDirection::kInContext) {
    return;
  }
  if (direction == PacketDirection::kOutbound) {
    replace_type(function);
  } else {
    decide_branches(function);
    ir::remove_unreachable_blocks(function);
  }
}

}  // namespace weir::lower
