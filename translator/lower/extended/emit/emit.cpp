#include "translator/lower/extended/emit/emit.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ebpf/assembler.h"
#include "translator/ebpf/opposite.h"
#include "translator/lower/extended/emit/block_layout.h"
#include "translator/lower/extended/emit/preset_verdict.h"
#include "translator/lower/extended/regalloc/parallel_copy.h"

namespace weir::lower {
namespace {

using ebpf::AluOp;
using ebpf::JumpOp;
using ebpf::Reg;
using ebpf::Width;
using machine::BlockId;
using machine::Edge;
using machine::End;
using machine::Instruction;
using machine::kNone;
using machine::Op;
using machine::Operand;
using machine::Terminator;
using machine::Vreg;

class Emitter {
 public:
  Emitter(const machine::Function& function, const Allocation& allocation, std::size_t rank)
      : function_(function), allocation_(allocation), labels_(function.blocks.size()) {
    BlockLayout order = lay_out(function);
    order_ = std::move(order.blocks);
    cold_behind_ = order.cold_behind;
    const auto verdicts = find_preset_verdicts(function, allocation, order_);
    if (!verdicts.empty()) {
      early_ = verdicts[std::min(rank, verdicts.size() - 1)];
      lay_exits();
    }
    for (const BlockId id : function.order) {
      labels_[id] = assembler_.new_label();
    }
  }

  Emitted run() && {
    std::optional<std::size_t> hot;
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const BlockId id = order_[i];
      next_ = i + 1 < order_.size() ? order_[i + 1] : kNone;
      assembler_.bind(labels_[id]);
      if (function_.blocks[id].cold && cold_behind_ && !hot) {
        hot = assembler_.size();
      }
      if (early_ && id == early_->top) {
        set(Reg::kR0, early_->value);
      }
      for (const Instruction& instruction : function_.blocks[id].body) {
        assembler_.set_origin(instruction.origin);
        emit(instruction);
      }
      assembler_.set_origin(function_.blocks[id].terminator.origin);
      end(function_.blocks[id].terminator);
    }
    const std::size_t size = assembler_.size();
    Emitted emitted{.program = std::move(assembler_).finish(), .hot = hot.value_or(size)};
    emitted.program.maps = function_.maps;
    return emitted;
  }

 private:
  Location location(Vreg vreg) const { return allocation_.locations[vreg]; }
  Reg reg(Vreg vreg) const { return location(vreg).reg(); }
  ebpf::Operand operand(const Operand& operand) const {
    return operand.is_reg() ? ebpf::Operand{reg(operand.reg)} : ebpf::Operand{operand.imm};
  }

  // The exit that only leaves stands right behind the last other one, which runs into it.
  void lay_exits() {
    std::erase(order_, early_->exit);
    const auto last = std::find_if(order_.rbegin(), order_.rend(), [&](BlockId id) {
      return !function_.blocks[id].cold && function_.blocks[id].terminator.end == End::kReturn;
    });
    order_.insert(last.base(), early_->exit);
  }

  // ---- Moves ----

  void move(Reg to, Reg from, bool is64 = true) {
    if (to != from) {
      assembler_.emit(ebpf::Alu{.op = AluOp::kMov, .is64 = is64, .dst = to, .src = from});
    }
  }
  void set(Reg to, std::int32_t imm, bool is64 = false) {
    assembler_.emit(ebpf::Alu{.op = AluOp::kMov, .is64 = is64, .dst = to, .src = imm});
  }

  std::int16_t slot_offset(Location slot) const {
    return static_cast<std::int16_t>(-function_.stack_bytes -
                                     8 * (static_cast<std::int32_t>(slot.slot_number()) + 1));
  }
  void fill(Reg to, Location slot) {
    assembler_.emit(
        ebpf::Load{.width = Width::kDw, .dst = to, .src = Reg::kR10, .offset = slot_offset(slot)});
  }
  void spill(Location slot, ebpf::Operand from) {
    assembler_.emit(ebpf::Store{
        .width = Width::kDw, .dst = Reg::kR10, .offset = slot_offset(slot), .src = from});
  }

  void copy(const Copy& copy) {
    if (copy.to.is_reg() && copy.from.is_reg()) {
      move(copy.to.reg(), copy.from.reg());
    } else if (copy.to.is_reg()) {
      fill(copy.to.reg(), copy.from);
    } else if (copy.from.is_reg()) {
      spill(copy.to, copy.from.reg());
    } else {
      fill(Reg::kR0, copy.from);
      spill(copy.to, Reg::kR0);
    }
  }

  // What an edge has to move: from place to place at the same time, and then constants.
  struct Moves {
    std::vector<Copy> copies;
    std::vector<std::pair<Location, std::int32_t>> constants;
    bool empty() const { return copies.empty() && constants.empty(); }
  };

  Moves moves(const Edge& edge) const {
    Moves moves;
    const auto& parameters = function_.blocks[edge.to].parameters;
    for (std::size_t i = 0; i < edge.arguments.size(); ++i) {
      const Location to = location(parameters[i]);
      if (edge.arguments[i].is_reg()) {
        moves.copies.push_back({to, location(edge.arguments[i].reg)});
      } else {
        moves.constants.emplace_back(to, edge.arguments[i].imm);
      }
    }
    const std::uint32_t spare = allocation_.slots == 0 ? 0 : allocation_.slots - 1;
    moves.copies = sequentialise(std::move(moves.copies), Location::slot(spare));
    return moves;
  }

  void emit_moves(const Moves& moves) {
    for (const Copy& each : moves.copies) {
      copy(each);
    }
    for (const auto& [to, imm] : moves.constants) {
      if (to.is_reg()) {
        set(to.reg(), imm);
      } else if (imm >= 0) {
        spill(to, imm);
      } else {
        set(Reg::kR0, imm);  // A store would extend the sign.
        spill(to, Reg::kR0);
      }
    }
  }

  // ---- Instructions ----

  void emit(const Instruction& instruction) {
    switch (instruction.op) {
      case Op::kMove:
        if (instruction.b.is_reg()) {
          move(reg(instruction.dst), reg(instruction.b.reg));
        } else {
          set(reg(instruction.dst), instruction.b.imm, instruction.is64);
        }
        return;
      case Op::kAlu:
        alu(instruction);
        return;
      case Op::kShiftOrZero:
        shift_or_zero(instruction);
        return;
      case Op::kToBig:
        move(reg(instruction.dst), reg(instruction.a));
        assembler_.emit(ebpf::Endian{
            .op = ebpf::EndianOp::kToBig,
            .bits = static_cast<std::uint8_t>(8 * static_cast<unsigned>(instruction.width)),
            .dst = reg(instruction.dst)});
        return;
      case Op::kLoad:
        assembler_.emit(ebpf::Load{.width = instruction.width,
                                   .dst = reg(instruction.dst),
                                   .src = reg(instruction.a),
                                   .offset = instruction.offset});
        return;
      case Op::kStore:
        assembler_.emit(ebpf::Store{.width = instruction.width,
                                    .dst = reg(instruction.a),
                                    .offset = instruction.offset,
                                    .src = operand(instruction.b)});
        return;
      case Op::kLoadPacket:
        load_packet(instruction);
        return;
      case Op::kLoadMap:
        assembler_.emit(ebpf::LoadImm64{.kind = ebpf::Imm64Kind::kMapIndex,
                                        .dst = reg(instruction.dst),
                                        .value = static_cast<std::uint32_t>(instruction.imm)});
        return;
      case Op::kLoadData:
      case Op::kLoadWide:
        assembler_.emit(ebpf::LoadImm64{
            .kind = instruction.op == Op::kLoadWide ? ebpf::Imm64Kind::kValue
                                                    : ebpf::Imm64Kind::kMapValueIndex,
            .dst = reg(instruction.dst),
            .value = std::uint64_t{static_cast<std::uint32_t>(instruction.b.imm)} << 32 |
                     static_cast<std::uint32_t>(instruction.imm)});
        return;
      case Op::kCall:
        pass_arguments(instruction);
        assembler_.emit(ebpf::Call{.kind = ebpf::CallKind::kHelper, .imm = instruction.imm});
        move(reg(instruction.dst), Reg::kR0);
        return;
      case Op::kCallKernel:
        pass_arguments(instruction);
        assembler_.emit(ebpf::Call{.kind = ebpf::CallKind::kKfunc, .imm = instruction.imm});
        move(reg(instruction.dst), Reg::kR0);
        return;
      case Op::kCallKernelTwoWords:
        call_with_two_words(instruction);
        return;
      case Op::kPullData:
        pull_data(instruction);
        return;
      case Op::kExitIf:
        assembler_.jump_if(instruction.compare, reg(instruction.a), operand(instruction.b),
                           labels_[instruction.target], instruction.is64);
        return;
      case Op::kSpill:
        spill(location(instruction.dst), reg(instruction.a));
        return;
      case Op::kReload:
        fill(reg(instruction.dst), location(instruction.a));
        return;
    }
  }

  void alu(const Instruction& instruction) {
    const Reg dst = reg(instruction.dst);
    const ebpf::Alu operation{.op = instruction.alu, .is64 = instruction.is64, .dst = dst};
    if (instruction.b.is_reg() && dst == reg(instruction.b.reg) && dst != reg(instruction.a)) {
      ebpf::Alu swapped = operation;  // Only operations whose operands may change places get here.
      swapped.src = reg(instruction.a);
      assembler_.emit(swapped);
      return;
    }
    move(dst, reg(instruction.a), instruction.is64);
    ebpf::Alu direct = operation;
    direct.src = operand(instruction.b);
    assembler_.emit(direct);
  }

  void shift_or_zero(const Instruction& instruction) {
    alu(instruction);
    const ebpf::Label small = assembler_.new_label();
    assembler_.jump_if(JumpOp::kLt, reg(instruction.b.reg), 32, small);
    set(reg(instruction.dst), 0);
    assembler_.bind(small);
  }

  void load_packet(const Instruction& instruction) {
    const bool indirect = instruction.a != kNone;
    assembler_.emit(ebpf::LoadPacket{.width = instruction.width,
                                     .indirect = indirect,
                                     .index = indirect ? reg(instruction.a) : Reg::kR0,
                                     .imm = instruction.imm});
    move(reg(instruction.dst), Reg::kR0);
  }

  void pass_arguments(const Instruction& instruction) {
    std::vector<Copy> copies;
    if (instruction.a != kNone) {
      copies.push_back({Location::in(Reg::kR1), location(instruction.a)});
    }
    if (instruction.b.is_reg()) {
      copies.push_back({Location::in(Reg::kR2), location(instruction.b.reg)});
    }
    for (const Copy& each : sequentialise(std::move(copies), {})) {
      copy(each);
    }
  }

  void call_with_two_words(const Instruction& instruction) {
    pass_arguments(instruction);
    std::int32_t offset = instruction.offset;
    for (const Reg argument : {Reg::kR2, Reg::kR3}) {
      move(argument, Reg::kR10);
      assembler_.emit(
          ebpf::Alu{.op = ebpf::AluOp::kAdd, .is64 = true, .dst = argument, .src = offset});
      offset += 8;
    }
    assembler_.emit(ebpf::Call{.kind = ebpf::CallKind::kKfunc, .imm = instruction.imm});
    move(reg(instruction.dst), Reg::kR0);
  }

  void pull_data(const Instruction& instruction) {
    const Reg kept = reg(instruction.a);
    const bool lost = (machine::kCallerSaved & machine::reg_bit(kept)) != 0;
    if (lost) {
      assembler_.emit(ebpf::Store{
          .width = Width::kDw, .dst = Reg::kR10, .offset = instruction.offset, .src = kept});
    }
    pass_arguments(instruction);
    assembler_.emit(ebpf::Call{.kind = ebpf::CallKind::kHelper, .imm = instruction.imm});
    if (lost) {
      assembler_.emit(ebpf::Load{
          .width = Width::kDw, .dst = kept, .src = Reg::kR10, .offset = instruction.offset});
    }
  }

  // ---- Terminators ----

  void go(BlockId to) {
    if (to != next_) {
      assembler_.jump(labels_[to]);
    }
  }

  void end(const Terminator& terminator) {
    switch (terminator.end) {
      case End::kReturn:
        if (terminator.b.is_reg()) {
          move(Reg::kR0, reg(terminator.b.reg));
        } else if (!early_ || terminator.b.imm != early_->value) {
          set(Reg::kR0, terminator.b.imm);
        }
        if (!early_ || next_ != early_->exit) {
          assembler_.emit(ebpf::Exit{});
        }
        return;
      case End::kJump:
      case End::kRestart:
        emit_moves(moves(terminator.edges[0]));
        go(terminator.edges[0].to);
        return;
      case End::kBranch:
        branch(terminator);
        return;
    }
  }

  void jump_if(const Terminator& terminator, JumpOp op, ebpf::Label target) {
    assembler_.jump_if(op, reg(terminator.a), operand(terminator.b), target, terminator.is64);
  }

  void branch(const Terminator& terminator) {
    const Edge& yes = terminator.edges[0];
    const Edge& no = terminator.edges[1];
    const Moves yes_moves = moves(yes);
    const Moves no_moves = moves(no);
    const auto unless = opposite(terminator.compare);
    if (yes_moves.empty() && (no.to == next_ || yes.to != next_ || !no_moves.empty())) {
      jump_if(terminator, terminator.compare, labels_[yes.to]);
      emit_moves(no_moves);
      go(no.to);
      return;
    }
    if (no_moves.empty() && unless) {
      jump_if(terminator, *unless, labels_[no.to]);
      emit_moves(yes_moves);
      go(yes.to);
      return;
    }
    const ebpf::Label yes_label = assembler_.new_label();
    jump_if(terminator, terminator.compare, yes_label);
    emit_moves(no_moves);
    assembler_.jump(labels_[no.to]);
    assembler_.bind(yes_label);
    emit_moves(yes_moves);
    go(yes.to);
  }

  const machine::Function& function_;
  const Allocation& allocation_;
  ebpf::Assembler assembler_;
  std::vector<BlockId> order_;       // As laid out.
  bool cold_behind_ = true;          // Its cold blocks stand behind the others.
  std::vector<ebpf::Label> labels_;  // By block; only those laid out have one.
  BlockId next_ = kNone;             // The block laid out behind the current one.
  std::optional<PresetVerdict> early_;
};

}  // namespace

Emitted emit(const machine::Function& function, const Allocation& allocation, std::size_t rank) {
  return Emitter(function, allocation, rank).run();
}

}  // namespace weir::lower
