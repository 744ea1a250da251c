#include "translator/lower/extended/select/select.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "translator/ir/evaluate.h"
#include "translator/ir/rewrite.h"
#include "translator/lower/extended/builder.h"
#include "translator/lower/extended/exits.h"
#include "translator/lower/extended/packet/packet_reader.h"
#include "translator/lower/extended/select/select_values.h"
#include "translator/lower/extended/select/switch_tree.h"
#include "translator/lower/extended/sets/set_lookup.h"

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
  Selector(const ir::Function& function, const SelectContext& context)
      : function_(function),
        target_(context.target),
        builder_(context.builder),
        machine_(builder_.function()),
        exits_(context.exits),
        values_(function, context),
        uses_(ir::count_uses(function)),
        reachable_(function.blocks.size(), false) {}

  ReaderContext reader_context() const { return values_.reader_context(); }

  // Appends the whole function, which begins in the current block, to the machine function.
  Status run(std::unique_ptr<PacketReader> reader, Vreg context) {
    values_.read_with(std::move(reader));
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
    values_.reader().finish();
    return {};
  }

  Vreg length_on_wire() { return values_.length_on_wire(); }

 private:
  // The blocks of the function are those of the machine function from first_block_ on.
  void begin(Vreg context) {
    first_block_ = static_cast<machine::BlockId>(machine_.blocks.size());
    for (const ir::Block& block : function_.blocks) {
      const machine::BlockId id = machine_.new_block();
      for (const ValueId parameter : block.parameters) {
        if (values_.needed(parameter)) {
          machine_.blocks[id].parameters.push_back(values_.make_parameter(parameter));
        }
      }
    }
    values_.reader().begin(function_.loop_words != 0 ? begin_loop(context) : context);
    builder_.jump(first_block_);
    reachable_[0] = true;
  }

  // ---- Functions that repeat ----

  // The block that every run of the function begins with. The loop's number and its iterations come
  // as parameters, so that the verifier knows them, and that no two iterations look alike to it.
  // The other words are on the stack, off the places whose values it remembers: it takes what is
  // read from there for any number, so the paths of an iteration do not multiply those of the next.
  Vreg begin_loop(Vreg context) {
    if (!machine_.context_in_r6) {
      context = builder_.move(Operand::of(context));
    }
    top_ = machine_.new_block();
    ValueSelector::LoopState state;
    for (Vreg& vreg : state.registers) {
      vreg = machine_.new_vreg();
      machine_.vregs[vreg].spillable = false;
      machine_.blocks[top_].parameters.push_back(vreg);
    }
    machine_.live_at_restarts = {context, state.registers[0], state.registers[1]};
    constexpr std::int16_t kHalfWord = 4;
    for (auto word = state.registers.size(); word < function_.loop_words; ++word) {
      state.stack.push_back(static_cast<std::int16_t>(machine_.new_stack_word() + kHalfWord));
    }
    stack_words_ = state.stack;
    for (const std::int16_t word : state.stack) {
      builder_.store(ebpf::Width::kW, machine::kFrame, word, Operand::constant(0));
    }
    values_.read_loop_state(std::move(state));
    builder_.end(
        {.end = End::kJump,
         .edges = {{.to = top_, .arguments = {Operand::constant(0), Operand::constant(0)}}}});
    builder_.start(top_);
    return context;
  }

  void repeat(const std::vector<ValueId>& state) {
    for (std::size_t i = 0; i < stack_words_.size(); ++i) {
      builder_.store(ebpf::Width::kW, machine::kFrame, stack_words_[i],
                     values_.operand(state[i + 2]));
    }
    builder_.end(
        {.end = End::kRestart,
         .edges = {
             {.to = top_, .arguments = {values_.operand(state[0]), values_.operand(state[1])}}}});
  }

  // ---- Blocks ----

  Status select_block(ir::BlockId id) {
    const ir::Block& block = function_.blocks[id];
    builder_.start(first_block_ + id);
    values_.reader().enter(id);
    test_at_end_ = find_test_at_end(block);
    for (const ValueId v : block.body) {
      if (v == test_at_end_) {
        continue;
      }
      builder_.set_origin(function_.values[v].origin);
      const auto goes_on = values_.select(v);
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

  // The test of a set or for bytes in the block that nothing but its own branch asks for: it then
  // goes where the branch does, without a number in between.
  ValueId find_test_at_end(const ir::Block& block) const {
    const ir::Terminator& end = block.terminator;
    const bool asked =
        end.end == ir::End::kBranch && values_.is_constant(end.b) &&
        (function_.values[end.a].op == Op::kIn || function_.values[end.a].op == Op::kHas) &&
        uses_[end.a] == 1 &&
        std::find(block.body.begin(), block.body.end(), end.a) != block.body.end();
    return asked ? end.a : ir::kNoValue;
  }

  // ---- Terminators ----

  Edge edge(const ir::Edge& from) {
    values_.reader().leave_to(from.to);
    reachable_[from.to] = true;
    Edge edge{.to = first_block_ + from.to};
    const auto& parameters = function_.blocks[from.to].parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (values_.needed(parameters[i])) {
        edge.arguments.push_back(values_.operand(from.arguments[i]));
      }
    }
    return edge;
  }

  void jump(const ir::Edge& to) { builder_.end({.end = End::kJump, .edges = {edge(to)}}); }

  void select_terminator(const ir::Terminator& terminator) {
    switch (terminator.end) {
      case ir::End::kReturn:
        if (values_.is_constant(terminator.a)) {
          builder_.jump(exits_.constant(values_.constant(terminator.a), terminator.origin));
        } else {
          exits_.value(values_.reg(terminator.a));
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
      case ir::End::kRepeat:
        repeat(terminator.state);
        return;
    }
  }

  void select_branch(const ir::Terminator& terminator) {
    if (terminator.a == test_at_end_) {
      const auto edge_for = [&](std::uint32_t answer) -> const ir::Edge& {
        const bool holds =
            ir::evaluate_compare(terminator.compare, answer, values_.constant(terminator.b));
        return terminator.edges[holds ? 0 : 1];
      };
      if (function_.values[test_at_end_].op == Op::kHas) {
        select_has(function_.values[test_at_end_], edge_for(1), edge_for(0));
        return;
      }
      values_.look_up(
          test_at_end_, [&] { return edge(edge_for(1)); }, [&] { return edge(edge_for(0)); });
      return;
    }
    ValueId a = terminator.a;
    ValueId b = terminator.b;
    Compare compare = terminator.compare;
    if (values_.is_constant(a) && values_.is_constant(b)) {
      jump(terminator
               .edges[ir::evaluate_compare(compare, values_.constant(a), values_.constant(b)) ? 0
                                                                                              : 1]);
      return;
    }
    if (values_.is_constant(a)) {
      std::swap(a, b);
      compare = ir::exchange(compare);
    }
    Edge yes = edge(terminator.edges[0]);
    Edge no = edge(terminator.edges[1]);
    if (compare == Compare::kClear) {
      std::swap(yes, no);
    }
    const std::uint8_t order = values_.order_of(a, b);
    builder_.end({.end = End::kBranch,
                  .compare = jump_of(compare),
                  .a = values_.reg(a, order),
                  .b = values_.operand(b, order),
                  .edges = {std::move(yes), std::move(no)}});
  }

  void select_has(const Value& value, const ir::Edge& yes, const ir::Edge& no) {
    machine::BlockId otherwise = kNone;
    Edge away;
    const auto leave = [&] {
      otherwise = machine_.new_block();
      away = edge(no);
      machine_.blocks[otherwise].cold = target_.allows_backward_jumps;
      machine_.blocks[away.to].cold = target_.allows_backward_jumps;
      return otherwise;
    };
    if (!values_.reader().has(values_.base_of(value), values_.offset_of(value), leave)) {
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
    if (values_.is_constant(terminator.a)) {
      jump(terminator.edges[ir::evaluate_switch(terminator, values_.constant(terminator.a))]);
      return;
    }
    lower_switch(builder_, terminator, values_.reg(terminator.a),
                 [&](std::uint32_t index) { return edge(terminator.edges[index]); });
  }

  const ir::Function& function_;
  const Target& target_;
  machine::Builder& builder_;
  machine::Function& machine_;
  Exits& exits_;
  ValueSelector values_;
  machine::BlockId first_block_ = 0;
  std::vector<std::uint32_t> uses_;  // By ValueId.
  std::vector<bool> reachable_;
  ValueId test_at_end_ = ir::kNoValue;     // Of the block in hand.
  machine::BlockId top_ = kNone;           // Of a function that repeats.
  std::vector<std::int16_t> stack_words_;  // The same: its loop state from word 2 on.
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
  const SelectContext common{
      .target = target, .builder = builder, .exits = exits, .lookups = lookups};
  Vreg context = begin(builder);
  if (in_place || (function.loop_words != 0 && target.access == PacketAccess::kLoadAbsolute)) {
    context = move_to_r6(builder, context);
  }
  if (in_place) {
    const machine::BlockId elsewhere = machine.new_block();
    Selector selector(in_place->function, common);
    auto reader = make_skb_reader(selector.reader_context(), elsewhere, in_place->least);
    if (Status done = selector.run(std::move(reader), context); !done) {
      return tl::make_unexpected(done.error());
    }
    builder.start(elsewhere);
  }
  const std::size_t first = machine.order.size() - 1;
  Selector selector(function, common);
  const ReaderContext reading = selector.reader_context();
  auto reader = target.access == PacketAccess::kDirect ? make_direct_reader(reading)
                                                       : make_ld_abs_reader(reading);
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
