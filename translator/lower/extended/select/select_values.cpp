#include "translator/lower/extended/select/select_values.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "translator/ir/bounds.h"
#include "translator/lower/extended/packet/verifier_bounds.h"
#include "translator/lower/extended/sets/byte_order.h"

namespace weir::lower {
namespace {

using ebpf::AluOp;
using ebpf::JumpOp;
using ebpf::Width;
using ir::Op;
using ir::Value;
using ir::ValueId;
using machine::Edge;
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
    for (const ValueId word : block->terminator.state) {
      need(word);
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

// The values that become part of a packet pointer: bases of reads, and what parameters that are
// bases are given. One sweep suffices, as for needed_values().
std::vector<bool> base_values(const ir::Function& function) {
  std::vector<bool> bases(function.values.size(), false);
  for (const Value& value : function.values) {
    const bool reads = value.op == Op::kNeed || value.op == Op::kHas || value.op == Op::kLoad;
    if (reads && value.a != ir::kNoValue) {
      bases[value.a] = true;
    }
  }
  for (auto block = function.blocks.rbegin(); block != function.blocks.rend(); ++block) {
    for (const ir::Edge& edge : block->terminator.edges) {
      const auto& parameters = function.blocks[edge.to].parameters;
      for (std::size_t i = 0; i < edge.arguments.size(); ++i) {
        if (bases[parameters[i]] && edge.arguments[i] != ir::kNoValue) {
          bases[edge.arguments[i]] = true;
        }
      }
    }
  }
  return bases;
}

// BPF_MAX_VAR_OFF of linux/bpf_verifier.h.
constexpr std::int64_t kMaxVariableOffset = std::int64_t{1} << 29;

std::optional<std::uint32_t> origin_of(const Value& value) {
  return value.origin == ir::kNoOrigin ? std::nullopt : std::optional(value.origin);
}

std::string missing_extension(cbpf::Extension extension, const Target& target) {
  const std::string hooks = hooks_with(extension);
  return "the extension '" + std::string(cbpf::extension_name(extension)) +
         "' is not available at " + std::string(target.name) +
         (hooks.empty() ? "" : "; it is at " + hooks);
}

}  // namespace

ValueSelector::ValueSelector(const ir::Function& function, const SelectContext& context)
    : function_(function),
      target_(context.target),
      builder_(context.builder),
      exits_(context.exits),
      lookups_(context.lookups),
      needed_(needed_values(function)),
      vregs_(function.values.size(), kNone) {
  if (target_.max_packet_offset != 0 || target_.skb_layout) {
    verified_bases_ = base_values(function);
  }
  if (!function.sets.empty()) {
    upper_bounds_ = ir::upper_bounds(function);
    verifier_bounds_ = verifier_bounds(function);
  }
}

ReaderContext ValueSelector::reader_context() const {
  return {function_, target_, builder_, exits_, needed_};
}

void ValueSelector::read_with(std::unique_ptr<PacketReader> reader) {
  reader_ = std::move(reader);
  network_order_ = reader_->reads_network_order() ? network_order_widths(function_)
                                                  : std::vector<std::uint8_t>(vregs_.size(), 0);
}

Result<bool> ValueSelector::select(ValueId v) {
  const Value& value = function_.values[v];
  return ir::is_effect(value.op) ? select_effect(value) : select_value(v);
}

Vreg ValueSelector::make_parameter(ValueId v) {
  vregs_[v] = builder_.function().new_vreg();
  return vregs_[v];
}

Operand ValueSelector::operand(ValueId v, std::uint8_t width) const {
  if (!is_constant(v)) {
    return Operand::of(vregs_[v]);
  }
  return Operand::constant(width == 0 ? constant(v) : in_network_order(constant(v), width));
}

Vreg ValueSelector::reg(ValueId v, std::uint8_t width) {
  return is_constant(v) ? builder_.move(operand(v, width)) : vregs_[v];
}

std::uint8_t ValueSelector::order_of(ValueId a, ValueId b) const {
  return std::max(network_order_[a], b == ir::kNoValue ? std::uint8_t{0} : network_order_[b]);
}

PacketBase ValueSelector::base_of(const Value& value) const {
  if (value.a == ir::kNoValue || is_constant(value.a)) {
    return {};
  }
  return {.id = value.a, .vreg = vregs_[value.a]};
}

std::uint64_t ValueSelector::offset_of(const Value& value) const {
  const bool added = value.a != ir::kNoValue && is_constant(value.a);
  return std::uint64_t{value.k} + (added ? constant(value.a) : 0);
}

Result<bool> ValueSelector::select_effect(const Value& value) {
  if (value.op == Op::kNeed) {
    return reader_->need(base_of(value), offset_of(value));
  }
  if (is_constant(value.a)) {
    return constant(value.a) != 0;
  }
  builder_.exit_if(JumpOp::kEq, vregs_[value.a], Operand::constant(0), exits_.reject());
  return true;
}

Result<bool> ValueSelector::select_value(ValueId v) {
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
    case Op::kLoopState:
      vregs_[v] = value.k < loop_state_.registers.size()
                      ? loop_state_.registers[value.k]
                      : builder_.load(Width::kW, machine::kFrame,
                                      loop_state_.stack[value.k - loop_state_.registers.size()]);
      return true;
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
      return fail(ErrorCode::kUnsupported,
                  "whether bytes are there is asked for no branch of the same block");
    case Op::kJoin:
      return true;
    case Op::kIn:
      select_set_test(v);
      return true;
  }
  return true;
}

bool ValueSelector::select_alu(ValueId v, AluOp op) {
  const Value& value = function_.values[v];
  const std::uint8_t order = order_of(value.a, value.b);
  const bool swap = is_constant(value.a) && !is_constant(value.b) &&
                    (op == AluOp::kAdd || op == AluOp::kMul || op == AluOp::kAnd ||
                     op == AluOp::kOr || op == AluOp::kXor);
  const ValueId a = swap ? value.b : value.a;
  const ValueId b = swap ? value.a : value.b;
  if (select_extreme_base(v, op, a, b)) {
    return true;
  }
  vregs_[v] = builder_.alu(op, reg(a, order), operand(b, order));
  return true;
}

// Linux remembers of a copied register which constant was added to the copy, and refuses to add the
// register to a packet pointer if that constant is 2^29 or more, whatever the register's range
// (kernel/bpf/verifier.c, adjust_reg_min_max_vals and check_reg_sane_offset; since 6.11, of 32-bit
// sums since 6.18). So the value is subtracted from the constant: a + b as b - (-a).
bool ValueSelector::select_extreme_base(ValueId v, AluOp op, ValueId a, ValueId b) {
  if (verified_bases_.empty() || !verified_bases_[v] || is_constant(a) || !is_constant(b) ||
      (op != AluOp::kAdd && op != AluOp::kSub)) {
    return false;
  }
  const std::uint32_t sum = op == AluOp::kAdd ? constant(b) : 0U - constant(b);
  if (std::abs(std::int64_t{static_cast<std::int32_t>(sum)}) < kMaxVariableOffset) {
    return false;
  }
  const Vreg negated = builder_.alu(AluOp::kNeg, reg(a), Operand::constant(0));
  vregs_[v] =
      builder_.alu(AluOp::kSub, builder_.move(Operand::constant(sum)), Operand::of(negated));
  return true;
}

bool ValueSelector::select_shift(ValueId v, AluOp op) {
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

bool ValueSelector::select_shift_modulo(ValueId v, AluOp op) {
  const Value& value = function_.values[v];
  const Operand amount =
      is_constant(value.b) ? Operand::constant(constant(value.b) & 31) : operand(value.b);
  vregs_[v] = builder_.alu(op, reg(value.a), amount);
  return true;
}

Result<bool> ValueSelector::select_ancillary(ValueId v) {
  const std::uint32_t number = function_.values[v].k;
  const ContextField field = target_.ancillary[number / 4];
  const std::int32_t helper = target_.ancillary_helpers[number / 4];
  if (target_.vlan_tag_kfunc != 0 && select_vlan_tag(v)) {
    return true;
  }
  if (field.exists()) {
    vregs_[v] = builder_.load(field.width, reader_->context(), field.offset);
    if (field.big_endian) {
      vregs_[v] = builder_.to_big(field.width, vregs_[v]);
    }
  } else if (helper != 0) {
    vregs_[v] = builder_.define({.op = machine::Op::kCall, .imm = helper});
  } else {
    return fail(ErrorCode::kUnsupported,
                missing_extension(static_cast<cbpf::Extension>(number), target_),
                {.instruction = origin_of(function_.values[v])});
  }
  return true;
}

// int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *, __be16 *proto, u16 *tci) returns 0, or a
// negative errno for a packet without a tag. Few packets are tested for one (sink_vlan_check.h), so
// each answer is a call of its own.
Vreg ValueSelector::call_for_vlan_tag() {
  if (vlan_tag_words_ == 0) {
    builder_.function().new_stack_word();
    vlan_tag_words_ = builder_.function().new_stack_word();
  }
  for (const int word : {0, 8}) {
    builder_.store(Width::kDw, machine::kFrame, static_cast<std::int16_t>(vlan_tag_words_ + word),
                   Operand::constant(0));
  }
  return builder_.define({.op = machine::Op::kCallKernelTwoWords,
                          .offset = vlan_tag_words_,
                          .a = reader_->context(),
                          .imm = target_.vlan_tag_kfunc});
}

// 0 or 1.
Vreg ValueSelector::vlan_present() {
  if (target_.vlan_tag_kfunc == 0) {
    const ContextField field = target_.vlan_present;
    return builder_.load(field.width, reader_->context(), field.offset);
  }
  const Vreg failed = builder_.alu(AluOp::kRsh, call_for_vlan_tag(), Operand::constant(31));
  return builder_.alu(AluOp::kXor, failed, Operand::constant(1));
}

bool ValueSelector::select_vlan_tag(ValueId v) {
  using cbpf::Extension;
  switch (static_cast<Extension>(function_.values[v].k)) {
    case Extension::kVlanAvail:
      vregs_[v] = vlan_present();
      return true;
    case Extension::kVlanTci:
      call_for_vlan_tag();
      vregs_[v] =
          builder_.load(Width::kH, machine::kFrame, static_cast<std::int16_t>(vlan_tag_words_ + 8));
      return true;
    case Extension::kVlanTpid:
      call_for_vlan_tag();
      vregs_[v] =
          builder_.to_big(Width::kH, builder_.load(Width::kH, machine::kFrame, vlan_tag_words_));
      return true;
    default:
      return false;
  }
}

void ValueSelector::look_up(ValueId test, const std::function<Edge()>& yes,
                            const std::function<Edge()>& no) {
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
Vreg ValueSelector::load_pair(ValueId upper, ValueId lower) {
  const Value& first = function_.values[upper];
  const Value& second = function_.values[lower];
  const bool adjacent = first.op == Op::kLoad && second.op == Op::kLoad && first.width == 4 &&
                        second.width == 4 && first.a == second.a && first.k + 4 == second.k;
  return adjacent ? reader_->load(base_of(first), offset_of(first), 8, false) : kNone;
}

// As a number: 1 on the way where it is a member, 0 on the others.
void ValueSelector::select_set_test(ValueId v) {
  machine::Function& machine = builder_.function();
  const machine::BlockId join = machine.new_block();
  vregs_[v] = machine.new_vreg();
  machine.blocks[join].parameters = {vregs_[v]};
  const auto with = [join](std::uint32_t answer) {
    return Edge{.to = join, .arguments = {Operand::constant(answer)}};
  };
  look_up(
      v, [&] { return with(1); }, [&] { return with(0); });
  builder_.start(join);
}

Vreg ValueSelector::length_on_wire() {
  const Vreg length = reader_->length();
  if (!target_.vlan_stripped) {
    return length;
  }
  const Vreg tag = builder_.alu(AluOp::kLsh, vlan_present(), Operand::constant(2));
  return builder_.alu(AluOp::kAdd, length, Operand::of(tag));
}

}  // namespace weir::lower
