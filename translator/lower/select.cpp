#include "translator/lower/select.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "translator/ir/bounds.h"
#include "translator/ir/evaluate.h"
#include "translator/ir/rewrite.h"
#include "translator/lower/builder.h"
#include "translator/lower/byte_order.h"
#include "translator/lower/exits.h"
#include "translator/lower/packet_reader.h"
#include "translator/lower/set_lookup.h"
#include "translator/lower/switch_tree.h"
#include "translator/lower/verifier_bounds.h"

namespace weir::lower {
namespace {

using ebpf::AluOp;
using ebpf::JumpOp;
using ir::Compare;
using ir::Op;
using ir::Value;
using ir::ValueId;
using machine::Edge;
using machine::End;
using machine::kNone;
using machine::Operand;
using machine::Vreg;

// The values that something depends on: what terminators and effects read, and so on backward. One
// sweep suffices, because all reads of a parameter come behind the edges that feed it.
std::vector<bool> needed_values(const ir::Function& function) {
  std::vector<bool> needed(function.values.size(), false);
  const auto need = [&](ValueId v) {
    if (v != ir::kNoValue) {
      needed[v] = true;
    }
  };
  for (auto block = function.blocks.rbegin(); block != function.blocks.rend(); ++block) {
    need(block->terminator.a);
    need(block->terminator.b);
    for (const ir::Edge& edge : block->terminator.edges) {
      const auto& parameters = function.blocks[edge.to].parameters;
      for (std::size_t i = 0; i < edge.arguments.size(); ++i) {
        if (needed[parameters[i]]) {
          need(edge.arguments[i]);
        }
      }
    }
    for (auto v = block->body.rbegin(); v != block->body.rend(); ++v) {
      const Value& value = function.values[*v];
      if (ir::is_effect(value.op) || needed[*v]) {
        need(value.a);
        need(value.b);
      }
    }
  }
  return needed;
}

// The jump that is taken when `compare` holds; for kClear, when it does not.
JumpOp jump_of(Compare compare) {
  switch (compare) {
    case Compare::kEq:
      return JumpOp::kEq;
    case Compare::kNe:
      return JumpOp::kNe;
    case Compare::kGt:
      return JumpOp::kGt;
    case Compare::kGe:
      return JumpOp::kGe;
    case Compare::kLt:
      return JumpOp::kLt;
    case Compare::kLe:
      return JumpOp::kLe;
    case Compare::kSet:
    case Compare::kClear:
      return JumpOp::kSet;
  }
  return JumpOp::kEq;
}

class Selector {
 public:
  Selector(const ir::Function& function, const Target& target, machine::Builder& builder,
           Exits& exits, SetLookups& lookups)
      : function_(function),
        target_(target),
        needed_(needed_values(function)),
        machine_(builder.function()),
        builder_(builder),
        exits_(exits),
        lookups_(lookups),
        vregs_(function.values.size(), kNone),
        reachable_(function.blocks.size(), false) {
    uses_ = ir::count_uses(function);
    if (!function.sets.empty()) {
      upper_bounds_ = ir::upper_bounds(function);
      verifier_bounds_ = verifier_bounds(function);
    }
  }

  ReaderContext reader_context() const { return {function_, target_, builder_, exits_, needed_}; }

  // Appends the whole function, which begins in the current block, to the machine function.
  Status run(std::unique_ptr<PacketReader> reader, Vreg context) {
    reader_ = std::move(reader);
    network_order_ = reader_->reads_network_order() ? network_order_widths(function_)
                                                    : std::vector<std::uint8_t>(vregs_.size(), 0);
    begin(context);
    for (ir::BlockId id = 0; id < function_.blocks.size(); ++id) {
      if (!reachable_[id]) {
        continue;
      }
      if (Status done = select_block(id); !done) {
        return tl::make_unexpected(done.error());
      }
    }
    builder_.set_origin(ir::kNoOrigin);
    reader_->finish();
    return {};
  }

  // For the counters of a rule: a tag that the hook keeps beside the packet was on the wire too.
  // vlan_present is 0 or 1.
  Vreg length_on_wire() {
    const Vreg length = reader_->length();
    if (!target_.vlan_present.exists()) {
      return length;
    }
    const ContextField field = target_.vlan_present;
    const Vreg present = builder_.load(field.width, reader_->context(), field.offset);
    const Vreg tag = builder_.alu(AluOp::kLsh, present, Operand::constant(2));
    return builder_.alu(AluOp::kAdd, length, Operand::of(tag));
  }

 private:
  // The blocks of the function are those of the machine function from first_block_ on.
  void begin(Vreg context) {
    first_block_ = static_cast<machine::BlockId>(machine_.blocks.size());
    for (const ir::Block& block : function_.blocks) {
      const machine::BlockId id = machine_.new_block();
      for (const ValueId parameter : block.parameters) {
        if (needed_[parameter]) {
          vregs_[parameter] = machine_.new_vreg();
          machine_.blocks[id].parameters.push_back(vregs_[parameter]);
        }
      }
    }
    reader_->begin(context);
    builder_.jump(first_block_);
    reachable_[0] = true;
  }

  // ---- Operands ----

  bool is_constant(ValueId v) const { return function_.values[v].op == Op::kConstant; }
  std::uint32_t constant(ValueId v) const { return function_.values[v].k; }

  // `v` as it stands beside a value that is kept in network order of `width` bytes, or in host
  // order (0).
  Operand operand(ValueId v, std::uint8_t width = 0) const {
    if (!is_constant(v)) {
      return Operand::of(vregs_[v]);
    }
    return Operand::constant(width == 0 ? constant(v) : in_network_order(constant(v), width));
  }

  Vreg reg(ValueId v, std::uint8_t width = 0) {
    return is_constant(v) ? builder_.move(operand(v, width)) : vregs_[v];
  }

  // The byte order an operation on a and b works in.
  std::uint8_t order_of(ValueId a, ValueId b) const {
    return std::max(network_order_[a], b == ir::kNoValue ? std::uint8_t{0} : network_order_[b]);
  }

  // A base that is a constant is part of the offset.
  PacketBase base_of(const Value& value) {
    if (value.a == ir::kNoValue || is_constant(value.a)) {
      return {};
    }
    return {.id = value.a, .vreg = vregs_[value.a]};
  }
  std::uint64_t offset_of(const Value& value) const {
    const bool added = value.a != ir::kNoValue && is_constant(value.a);
    return std::uint64_t{value.k} + (added ? constant(value.a) : 0);
  }

  // ---- Blocks ----

  Status select_block(ir::BlockId id) {
    const ir::Block& block = function_.blocks[id];
    builder_.start(first_block_ + id);
    reader_->enter(id);
    test_at_end_ = find_test_at_end(block);
    for (const ValueId v : block.body) {
      const Value& value = function_.values[v];
      builder_.set_origin(value.origin);
      const auto goes_on = ir::is_effect(value.op) ? select_effect(value) : select_value(v);
      if (!goes_on) {
        return tl::make_unexpected(goes_on.error());
      }
      if (!*goes_on) {
        builder_.jump(exits_.reject());
        return {};
      }
    }
    builder_.set_origin(block.terminator.origin);
    select_terminator(block.terminator);
    return {};
  }

  // False: the filter ends here with 0, whatever the packet.
  Result<bool> select_effect(const Value& value) {
    if (value.op == Op::kNeed) {
      return reader_->need(base_of(value), offset_of(value));
    }
    if (is_constant(value.a)) {
      return constant(value.a) != 0;
    }
    builder_.exit_if(JumpOp::kEq, vregs_[value.a], Operand::constant(0), exits_.reject());
    return true;
  }

  Result<bool> select_value(ValueId v) {
    if (!needed_[v]) {
      return true;
    }
    const Value& value = function_.values[v];
    switch (value.op) {
      case Op::kConstant:
      case Op::kParameter:
      case Op::kNeed:
      case Op::kGuard:
        return true;
      case Op::kLength:
        vregs_[v] = reader_->length();
        return true;
      case Op::kAncillary:
        return select_ancillary(v);
      case Op::kLoad:
        vregs_[v] =
            reader_->load(base_of(value), offset_of(value), value.width, network_order_[v] != 0);
        return vregs_[v] != kNone;
      case Op::kAdd:
        return select_alu(v, AluOp::kAdd);
      case Op::kSub:
        return select_alu(v, AluOp::kSub);
      case Op::kMul:
        return select_alu(v, AluOp::kMul);
      case Op::kDiv:
        return select_alu(v, AluOp::kDiv);
      case Op::kMod:
        return select_alu(v, AluOp::kMod);
      case Op::kAnd:
        return select_alu(v, AluOp::kAnd);
      case Op::kOr:
        return select_alu(v, AluOp::kOr);
      case Op::kXor:
        return select_alu(v, AluOp::kXor);
      case Op::kShl:
        return select_shift(v, AluOp::kLsh);
      case Op::kShr:
        return select_shift(v, AluOp::kRsh);
      case Op::kShlModulo:
        return select_shift_modulo(v, AluOp::kLsh);
      case Op::kShrModulo:
        return select_shift_modulo(v, AluOp::kRsh);
      case Op::kNeg:
        vregs_[v] = builder_.alu(AluOp::kNeg, reg(value.a), Operand::constant(0));
        return true;
      case Op::kHas:
        if (v != test_at_end_) {
          return fail(ErrorCode::kUnsupported,
                      "whether bytes are there is asked for no branch of the same block");
        }
        return true;
      case Op::kJoin:
        return true;
      case Op::kIn:
        if (v != test_at_end_) {
          select_set_test(v);
        }
        return true;
    }
    return true;
  }

  bool select_alu(ValueId v, AluOp op) {
    const Value& value = function_.values[v];
    const std::uint8_t order = order_of(value.a, value.b);
    const bool swap = is_constant(value.a) && !is_constant(value.b) &&
                      (op == AluOp::kAdd || op == AluOp::kMul || op == AluOp::kAnd ||
                       op == AluOp::kOr || op == AluOp::kXor);
    const ValueId a = swap ? value.b : value.a;
    const ValueId b = swap ? value.a : value.b;
    vregs_[v] = builder_.alu(op, reg(a, order), operand(b, order));
    return true;
  }

  bool select_shift(ValueId v, AluOp op) {
    const Value& value = function_.values[v];
    if (!is_constant(value.b)) {
      vregs_[v] = builder_.define(
          {.op = machine::Op::kShiftOrZero, .alu = op, .a = reg(value.a), .b = operand(value.b)});
    } else if (constant(value.b) >= 32) {
      vregs_[v] = builder_.move(Operand::constant(0));
    } else {
      vregs_[v] = builder_.alu(op, reg(value.a), operand(value.b));
    }
    return true;
  }

  bool select_shift_modulo(ValueId v, AluOp op) {
    const Value& value = function_.values[v];
    const Operand amount =
        is_constant(value.b) ? Operand::constant(constant(value.b) & 31) : operand(value.b);
    vregs_[v] = builder_.alu(op, reg(value.a), amount);
    return true;
  }

  Result<bool> select_ancillary(ValueId v) {
    const std::uint32_t number = function_.values[v].k;
    const ContextField field = target_.ancillary[number / 4];
    const std::int32_t helper = target_.ancillary_helpers[number / 4];
    if (field.exists()) {
      vregs_[v] = builder_.load(field.width, reader_->context(), field.offset);
      if (field.big_endian) {
        vregs_[v] = builder_.to_big(field.width, vregs_[v]);
      }
    } else if (helper != 0) {
      vregs_[v] = builder_.define({.op = machine::Op::kCall, .imm = helper});
    } else {
      const auto extension = static_cast<cbpf::Extension>(number);
      return fail(ErrorCode::kUnsupported,
                  "the extension '" + std::string(cbpf::extension_name(extension)) +
                      "' is not available at " + std::string(target_.name),
                  {.instruction = origin_of(v)});
    }
    return true;
  }

  // ---- Set tests ----

  // The test of a set or for bytes in the block that nothing but its own branch asks for: it then
  // goes where the branch does, without a number in between.
  ValueId find_test_at_end(const ir::Block& block) const {
    const ir::Terminator& end = block.terminator;
    const bool asked =
        end.end == ir::End::kBranch && is_constant(end.b) &&
        (function_.values[end.a].op == Op::kIn || function_.values[end.a].op == Op::kHas) &&
        uses_[end.a] == 1 &&
        std::find(block.body.begin(), block.body.end(), end.a) != block.body.end();
    return asked ? end.a : ir::kNoValue;
  }

  void look_up(ValueId test, const std::function<Edge()>& yes, const std::function<Edge()>& no) {
    const Value& value = function_.values[test];
    std::vector<ValueId> parts;
    ValueId key = value.a;
    for (; function_.values[key].op == Op::kJoin; key = function_.values[key].a) {
      parts.push_back(function_.values[key].b);
    }
    parts.push_back(key);
    std::reverse(parts.begin(), parts.end());
    std::vector<Vreg> words;
    words.reserve(parts.size());
    for (const ValueId part : parts) {
      words.push_back(reg(part));
    }
    LookupKey wanted{.words = words};
    if (reader_->reads_wide()) {
      wanted.load_pair = [&](std::uint32_t first) {
        return load_pair(parts[first], parts[first + 1]);
      };
    }
    if (words.size() == 1) {
      wanted.network_order = network_order_[key];
      wanted.largest = wanted.network_order == 2   ? std::max(0xffffU, upper_bounds_[key])
                       : wanted.network_order == 4 ? 0xffffffff
                                                   : upper_bounds_[key];
      // What LD_ABS loads is any number to the verifier.
      wanted.bounded =
          target_.access == PacketAccess::kDirect && verifier_bounds_[key] <= wanted.largest;
    }
    lookups_.branch(value.k, wanted, yes, no);
  }

  // Two words that lie side by side in the packet, read at once.
  Vreg load_pair(ValueId upper, ValueId lower) {
    const Value& first = function_.values[upper];
    const Value& second = function_.values[lower];
    const bool adjacent = first.op == Op::kLoad && second.op == Op::kLoad && first.width == 4 &&
                          second.width == 4 && first.a == second.a && first.k + 4 == second.k;
    return adjacent ? reader_->load(base_of(first), offset_of(first), 8, false) : kNone;
  }

  // As a number: 1 on the way where it is a member, 0 on the others.
  void select_set_test(ValueId v) {
    const machine::BlockId join = machine_.new_block();
    vregs_[v] = machine_.new_vreg();
    machine_.blocks[join].parameters = {vregs_[v]};
    const auto with = [join](std::uint32_t answer) {
      return Edge{.to = join, .arguments = {Operand::constant(answer)}};
    };
    look_up(
        v, [&] { return with(1); }, [&] { return with(0); });
    builder_.start(join);
  }

  std::optional<std::uint32_t> origin_of(ValueId v) const {
    const std::uint32_t origin = function_.values[v].origin;
    return origin == ir::kNoOrigin ? std::nullopt : std::optional(origin);
  }

  // ---- Terminators ----

  Edge edge(const ir::Edge& from) {
    reader_->leave_to(from.to);
    reachable_[from.to] = true;
    Edge edge{.to = first_block_ + from.to};
    const auto& parameters = function_.blocks[from.to].parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (needed_[parameters[i]]) {
        edge.arguments.push_back(operand(from.arguments[i]));
      }
    }
    return edge;
  }

  void jump(const ir::Edge& to) { builder_.end({.end = End::kJump, .edges = {edge(to)}}); }

  void select_terminator(const ir::Terminator& terminator) {
    switch (terminator.end) {
      case ir::End::kReturn:
        if (is_constant(terminator.a)) {
          builder_.jump(exits_.constant(constant(terminator.a), terminator.origin));
        } else {
          exits_.value(vregs_[terminator.a]);
        }
        return;
      case ir::End::kJump:
        jump(terminator.edges[0]);
        return;
      case ir::End::kBranch:
        select_branch(terminator);
        return;
      case ir::End::kSwitch:
        select_switch(terminator);
        return;
    }
  }

  void select_branch(const ir::Terminator& terminator) {
    if (terminator.a == test_at_end_) {
      const auto edge_for = [&](std::uint32_t answer) -> const ir::Edge& {
        const bool holds = ir::evaluate_compare(terminator.compare, answer, constant(terminator.b));
        return terminator.edges[holds ? 0 : 1];
      };
      if (function_.values[test_at_end_].op == Op::kHas) {
        select_has(function_.values[test_at_end_], edge_for(1), edge_for(0));
        return;
      }
      look_up(
          test_at_end_, [&] { return edge(edge_for(1)); }, [&] { return edge(edge_for(0)); });
      return;
    }
    ValueId a = terminator.a;
    ValueId b = terminator.b;
    Compare compare = terminator.compare;
    if (is_constant(a) && is_constant(b)) {
      jump(terminator.edges[ir::evaluate_compare(compare, constant(a), constant(b)) ? 0 : 1]);
      return;
    }
    if (is_constant(a)) {
      std::swap(a, b);
      compare = ir::exchange(compare);
    }
    Edge yes = edge(terminator.edges[0]);
    Edge no = edge(terminator.edges[1]);
    if (compare == Compare::kClear) {
      std::swap(yes, no);
    }
    const std::uint8_t order = order_of(a, b);
    builder_.end({.end = End::kBranch,
                  .compare = jump_of(compare),
                  .a = reg(a, order),
                  .b = operand(b, order),
                  .edges = {std::move(yes), std::move(no)}});
  }

  void select_has(const Value& value, const ir::Edge& yes, const ir::Edge& no) {
    machine::BlockId otherwise = kNone;
    Edge away;
    const auto leave = [&] {
      otherwise = machine_.new_block();
      away = edge(no);
      machine_.blocks[otherwise].cold = target_.leads_back;
      machine_.blocks[away.to].cold = target_.leads_back;
      return otherwise;
    };
    if (!reader_->has(base_of(value), offset_of(value), leave)) {
      jump(no);
      return;
    }
    jump(yes);
    if (otherwise != kNone) {
      builder_.start(otherwise);
      builder_.end({.end = End::kJump, .edges = {std::move(away)}});
    }
  }

  void select_switch(const ir::Terminator& terminator) {
    if (is_constant(terminator.a)) {
      jump(terminator.edges[ir::evaluate_switch(terminator, constant(terminator.a))]);
      return;
    }
    lower_switch(builder_, terminator, vregs_[terminator.a],
                 [&](std::uint32_t index) { return edge(terminator.edges[index]); });
  }

  const ir::Function& function_;
  const Target& target_;
  std::vector<bool> needed_;
  machine::Function& machine_;
  machine::Builder& builder_;
  Exits& exits_;
  SetLookups& lookups_;
  machine::BlockId first_block_ = 0;
  std::unique_ptr<PacketReader> reader_;
  std::vector<std::uint8_t> network_order_;
  std::vector<Vreg> vregs_;  // By ValueId.
  std::vector<bool> reachable_;
  ValueId test_at_end_ = ir::kNoValue;  // Of the block in hand.
  // By ValueId; only where there are sets.
  std::vector<std::uint32_t> uses_;
  std::vector<std::uint32_t> upper_bounds_;
  std::vector<std::uint64_t> verifier_bounds_;
};

// The maps of a standing rule; the counters are map 0, which the epilogue names.
std::vector<ebpf::Map> rule_maps(const Rule& rule) {
  ebpf::Map counters{.name = kCounterMap,
                     .kind = ebpf::MapKind::kPerCpuArray,
                     .value_size = sizeof(Counter),
                     .entries = 2};
  ebpf::Map text{.name = kRuleMap,
                 .kind = ebpf::MapKind::kReadOnlyData,
                 .value_size = static_cast<std::uint32_t>(rule.text.size()),
                 .entries = 1,
                 .data = {rule.text.begin(), rule.text.end()},
                 .metadata = true};
  if (text.data.empty()) {  // The kernel has no values of no bytes.
    text.data.push_back(0);
    text.value_size = 1;
  }
  return {std::move(counters), std::move(text)};
}

// The entry block, and r1 in it.
Vreg begin(machine::Builder& builder) {
  machine::Function& machine = builder.function();
  machine.vregs = {{.fixed = ebpf::Reg::kR10, .spillable = false}};  // kFrame
  builder.start(machine.new_block());
  const Vreg context = machine.new_vreg();
  machine.vregs[context] = {.fixed = ebpf::Reg::kR1, .spillable = false};
  machine.blocks[builder.block()].parameters = {context};
  return context;
}

// Where calls leave it alone and LD_ABS wants it.
Vreg move_to_r6(machine::Builder& builder, Vreg context) {
  const Vreg moved = builder.move(Operand::of(context));
  builder.function().vregs[moved].fixed = ebpf::Reg::kR6;
  builder.function().context_in_r6 = true;
  return moved;
}

}  // namespace

Result<machine::Function> select(const ir::Function& function,
                                 const std::optional<InPlaceForm>& in_place, const Target& target,
                                 const std::optional<Rule>& rule) {
  machine::Function machine;
  if (rule) {
    machine.maps = rule_maps(*rule);
  }
  machine::Builder builder(machine);
  Exits exits(builder, target, rule);
  SetLookups lookups(function, builder, static_cast<std::uint32_t>(machine.maps.size()));
  Vreg context = begin(builder);
  if (in_place) {
    context = move_to_r6(builder, context);
    const machine::BlockId elsewhere = machine.new_block();
    Selector selector(in_place->function, target, builder, exits, lookups);
    auto reader = make_in_place_reader(selector.reader_context(), elsewhere, in_place->least);
    if (Status done = selector.run(std::move(reader), context); !done) {
      return tl::make_unexpected(done.error());
    }
    builder.start(elsewhere);
  }
  const std::size_t first = machine.order.size() - 1;
  Selector selector(function, target, builder, exits, lookups);
  const ReaderContext reading = selector.reader_context();
  auto reader = target.access == PacketAccess::kDirect ? make_direct_reader(reading)
                                                       : make_absolute_reader(reading);
  if (Status done = selector.run(std::move(reader), context); !done) {
    return tl::make_unexpected(done.error());
  }
  if (first != 0) {  // The second form of the filter is seldom run.
    for (std::size_t i = first; i < machine.order.size(); ++i) {
      machine.blocks[machine.order[i]].cold = true;
    }
  }
  exits.finish([&] { return selector.length_on_wire(); });
  if (auto map = lookups.map()) {
    machine.maps.push_back(*std::move(map));
  }
  return machine;
}

}  // namespace weir::lower
