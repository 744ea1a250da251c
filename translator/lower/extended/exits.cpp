#include "translator/lower/extended/exits.h"

namespace weir::lower {

using ebpf::AluOp;
using ebpf::JumpOp;
using ebpf::Width;
using machine::BlockId;
using machine::End;
using machine::Op;
using machine::Operand;
using machine::Vreg;

BlockId Exits::constant(std::uint32_t accept_length, std::uint32_t origin) {
  std::int64_t key = accept_length;
  if (rule_) {
    key = accept_length != 0 ? 1 : 0;
  } else if (!target_.returns_accept_length) {
    key = accept_length != 0 ? target_.pass : target_.drop;
  }
  Exit& exit = exits_[key];
  if (exit.block == machine::kNone) {
    exit.block = builder_.function().new_block();
  }
  if (exit.origin == ir::kNoOrigin) {
    exit.origin = origin;
  }
  return exit.block;
}

void Exits::value(Vreg accept_length) {
  if (target_.returns_accept_length) {
    builder_.end({.end = End::kReturn, .b = Operand::of(accept_length)});
    return;
  }
  builder_.end({.end = End::kBranch,
                .compare = JumpOp::kNe,
                .a = accept_length,
                .edges = {{.to = constant(1)}, {.to = constant(0)}}});
}

void Exits::finish_constants() {
  if (rule_ && !exits_.empty()) {
    epilogue_ = builder_.function().new_block();
    matched_ = builder_.function().new_vreg();
    builder_.function().blocks[epilogue_].parameters = {matched_};
  }
  for (const auto& [key, exit] : exits_) {
    builder_.start(exit.block);
    builder_.set_origin(exit.origin);
    const Operand number = Operand::constant(static_cast<std::uint32_t>(key));
    if (rule_) {
      builder_.end({.end = End::kJump, .edges = {{.to = epilogue_, .arguments = {number}}}});
    } else {
      builder_.end({.end = End::kReturn, .b = number});
    }
  }
  builder_.set_origin(ir::kNoOrigin);
}

// counters[matched] += {1, length}. Nothing else runs on this CPU's counters meanwhile, so plain
// additions will do. The map has both entries, yet the verifier wants to see the answer checked.
void Exits::count(Vreg length) {
  auto& function = builder_.function();
  const std::int16_t key = function.new_stack_word();
  builder_.store(Width::kW, machine::kFrame, key, Operand::of(matched_));
  const Vreg map = builder_.define({.op = Op::kLoadMap, .imm = 0});
  const Vreg key_address =
      builder_.alu64(AluOp::kAdd, machine::kFrame, {.imm = static_cast<std::int32_t>(key)});
  const Vreg counter = builder_.define(
      {.op = Op::kCall, .a = map, .b = Operand::of(key_address), .imm = target_.map_lookup_helper});
  const BlockId done = function.new_block();
  builder_.exit_if(JumpOp::kEq, counter, Operand::constant(0), done, true);
  const auto add = [&](std::int16_t offset, Operand amount) {
    const Vreg before = builder_.load(Width::kDw, counter, offset);
    const Vreg after = builder_.alu64(AluOp::kAdd, before, amount);
    builder_.store(Width::kDw, counter, offset, Operand::of(after));
  };
  add(0, Operand::constant(1));
  add(8, Operand::of(length));
  builder_.jump(done);
  builder_.start(done);
  return_verdict(matched_);
}

void Exits::return_verdict(Vreg matched) {
  const auto code = [](std::int32_t value) {
    return Operand::constant(static_cast<std::uint32_t>(value));
  };
  if (rule_->action == Action::kCount) {
    builder_.end({.end = End::kReturn, .b = code(target_.rule_pass)});
    return;
  }
  const BlockId pass = builder_.function().new_block();
  const BlockId drop = builder_.function().new_block();
  const bool pass_on_match = rule_->action == Action::kPass;
  builder_.end(
      {.end = End::kBranch,
       .compare = JumpOp::kNe,
       .a = matched,
       .edges = {{.to = pass_on_match ? pass : drop}, {.to = pass_on_match ? drop : pass}}});
  builder_.start(pass);
  builder_.end({.end = End::kReturn, .b = code(target_.rule_pass)});
  builder_.start(drop);
  builder_.end({.end = End::kReturn, .b = code(target_.drop)});
}

}  // namespace weir::lower
