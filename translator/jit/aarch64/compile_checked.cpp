// Programs of any kind: a run at a time, with a check before each access that is not proven. What a
// program needs beside its instructions' own code (checks, charges, ways out) is made here; the
// code of single instructions in emit_aarch64.cpp. x24 is the RunState.
#include <bit>
#include <cstddef>
#include <utility>

#include "translator/jit/aarch64/emit.h"
#include "translator/jit/compile.h"
#include "translator/jit/runtime.h"
#include "translator/userspace/check.h"

namespace weir::jit::aarch64 {
namespace {

using ebpf::Instruction;
using ebpf::Reg;

constexpr std::uint32_t kNone = 0xffffffff;

constexpr Gp kState = Gp::kX24;
constexpr Gp kFrame = gp(Reg::kR10);
// Where the instruction's index is when an access is to be checked.
constexpr Gp kIndex = Gp::kX7;

constexpr Mem state_field(std::size_t offset) {
  return {kState, static_cast<std::int32_t>(offset)};
}
constexpr Mem kStateR0 = state_field(offsetof(RunState, r0));
constexpr Mem kStateBudget = state_field(offsetof(RunState, budget));
constexpr Mem kStateNativeStack = state_field(offsetof(RunState, native_stack));
constexpr Mem kStateFramesLeft = state_field(offsetof(RunState, frames_left));

class Compiler {
 public:
  Compiler(const CompileInput& input, const ebpf::AccessProof& proof)
      : input_(input),
        all_(input.program.instructions),
        proof_(proof),
        stack_bytes_(static_cast<std::int32_t>(ebpf::stack_bytes(input.program))),
        a_(all_.size() * 2 + 128) {}

  Result<CompiledCode> run() {
    find_targets();
    exit_ = a_.new_label();
    check_ = a_.new_label();
    unwind_ = a_.new_label();
    packet_ends_ = a_.new_label();
    begin();
    emit_all();
    end();
    auto bytes = a_.finish();
    if (!bytes) {
      return tl::make_unexpected(std::move(bytes.error()));
    }
    return CompiledCode{.bytes = std::move(*bytes),
                        .checked_accesses = checked_,
                        .frame_bytes = static_cast<std::uint32_t>(stack_bytes_)};
  }

 private:
  // ---- Before any code ----

  void find_targets() {
    const auto n = static_cast<std::uint32_t>(all_.size());
    target_of_ = jump_targets(input_.program);
    label_of_.assign(n, kNone);
    for (std::uint32_t i = 0; i < n; ++i) {
      const std::uint32_t to = target_of_[i];
      if (to == kNoTarget) {
        continue;
      }
      if (label_of_[to] == kNone) {
        label_of_[to] = a_.new_label().id;
      }
      const bool jumps = std::holds_alternative<ebpf::Jump>(all_[i]);
      calls_ = calls_ || !jumps;
      backs_ += jumps && to <= i ? 1 : 0;
    }
  }

  // ---- Around the program ----

  void begin() {
    const std::int32_t stack =
        calls_ ? static_cast<std::int32_t>(ebpf::kFrameBytes * ebpf::kFrames) : stack_bytes_;
    native_frame_ = (stack + 15) / 16 * 16;
    a_.push_pair(Gp::kX29, Gp::kX30, kSavedBytes);
    a_.arith_imm(Arith::kAdd, Size::k64, Gp::kX29, Gp::kSp, 0);
    a_.store_pair({Gp::kSp, 16}, Gp::kX19, Gp::kX20);
    a_.store_pair({Gp::kSp, 32}, Gp::kX21, Gp::kX22);
    a_.store_pair({Gp::kSp, 48}, Gp::kX23, Gp::kX24);
    move_stack(Arith::kSub);
    a_.mov(Size::k64, kState, Gp::kX0);
    a_.arith_imm(Arith::kAdd, Size::k64, kAddress, Gp::kSp, 0);
    a_.store(8, kStateNativeStack, kAddress);
    emit_add(a_, Size::k64, kFrame, kAddress, stack);
    a_.store(8, state_field(offsetof(RunState, stack_top)), kFrame);
    emit_zero_stack(a_, stack_bytes_);
    a_.load(Extend::kNone64, gp(Reg::kR1), state_field(offsetof(RunState, r1)));
    a_.load(Extend::kNone64, gp(Reg::kR2), state_field(offsetof(RunState, r2)));
    for (const Reg reg :
         {Reg::kR0, Reg::kR3, Reg::kR4, Reg::kR5, Reg::kR6, Reg::kR7, Reg::kR8, Reg::kR9}) {
      a_.mov_imm(gp(reg), 0);
    }
    // With local calls the program itself is called, so that each of its exits is a return.
    if (calls_) {
      const Label body = a_.new_label();
      a_.call(body);
      a_.jump(exit_);
      a_.bind(body);
      a_.push(Gp::kX30);
    }
  }

  // The native frame's bytes are at most 4096.
  void move_stack(Arith op) {
    if (native_frame_ != 0) {
      a_.arith_imm(op, Size::k64, Gp::kSp, Gp::kSp, static_cast<std::uint32_t>(native_frame_));
    }
  }
  void restore_stack() {
    a_.load(Extend::kNone64, kAddress, kStateNativeStack);
    a_.arith_imm(Arith::kAdd, Size::k64, Gp::kSp, kAddress, 0);
  }

  void end() {
    const Label leave = a_.new_label();
    emit_cold();
    a_.bind(packet_ends_);
    a_.mov_imm(gp(Reg::kR0), 0);
    restore_stack();
    a_.bind(exit_);
    a_.store(8, kStateR0, gp(Reg::kR0));
    a_.bind(leave);
    move_stack(Arith::kAdd);
    a_.load_pair(Size::k64, {Gp::kSp, 48}, Gp::kX23, Gp::kX24);
    a_.load_pair(Size::k64, {Gp::kSp, 32}, Gp::kX21, Gp::kX22);
    a_.load_pair(Size::k64, {Gp::kSp, 16}, Gp::kX19, Gp::kX20);
    a_.pop_pair(Gp::kX29, Gp::kX30, kSavedBytes);
    a_.ret();
    a_.bind(unwind_);
    restore_stack();
    a_.jump(leave);
    if (checked_ != 0) {
      emit_check_stub();
    }
  }

  // Asks whether an access may be made: its address in kAddress, what it does in kNumber, the
  // instruction in kIndex. Comes back when it may. Keeps the program's registers and kAddress.
  void emit_check_stub() {
    constexpr std::int32_t kBytes = 64;
    a_.bind(check_);
    a_.push_pair(Gp::kX0, Gp::kX1, kBytes);
    a_.store_pair({Gp::kSp, 16}, Gp::kX2, Gp::kX3);
    a_.store_pair({Gp::kSp, 32}, Gp::kX4, Gp::kX5);
    a_.store_pair({Gp::kSp, 48}, kAddress, Gp::kX30);
    a_.mov(Size::k64, Gp::kX0, kState);
    a_.mov(Size::k64, Gp::kX1, kAddress);
    a_.mov(Size::k64, Gp::kX2, kNumber);
    a_.mov(Size::k64, Gp::kX3, kFrame);
    a_.mov(Size::k64, Gp::kX4, kIndex);
    a_.mov_imm(kAddress, std::bit_cast<std::uint64_t>(&weir_jit_check_access));
    a_.call(kAddress);
    a_.mov(Size::k64, kNumber, Gp::kX0);
    a_.load_pair(Size::k64, {Gp::kSp, 48}, kAddress, Gp::kX30);
    a_.load_pair(Size::k64, {Gp::kSp, 32}, Gp::kX4, Gp::kX5);
    a_.load_pair(Size::k64, {Gp::kSp, 16}, Gp::kX2, Gp::kX3);
    a_.pop_pair(Gp::kX0, Gp::kX1, kBytes);
    a_.jump_if_not_zero(Size::k64, kNumber, unwind_);
    a_.ret();
  }

  // state field -= value; the label's way if it was less. `size` is the field's.
  void charge(Size size, Mem field, std::uint64_t value, Label exhausted) {
    a_.load(size == Size::k64 ? Extend::kNone64 : Extend::kZero32, kAddress, field);
    if (fits_arith(value)) {
      a_.arith_imm(Arith::kSubs, size, kAddress, kAddress, static_cast<std::uint32_t>(value));
    } else {
      a_.mov_imm(kNumber, value);
      a_.arith(Arith::kSubs, size, kAddress, kAddress, kNumber);
    }
    a_.store(size == Size::k64 ? 8 : 4, field, kAddress);
    a_.jump_if(Condition::kBelow, exhausted);
  }

  // Ways that are seldom gone: backward jumps with their charge, calls, and faults.
  void emit_cold() {
    for (const Back& back : backward_) {
      a_.bind(back.from);
      charge(Size::k64, kStateBudget, back.distance,
             fault_at(ebpf::FaultKind::kBudget, back.instruction));
      a_.jump(back.to);
    }
    // What an exit goes back to is on the stack.
    for (const Called& called : called_) {
      a_.bind(called.from);
      a_.push(Gp::kX30);
      a_.jump(called.to);
    }
    for (const FaultWay& way : faults_) {
      a_.bind(way.label);
      emit_store_imm(a_, 4, state_field(offsetof(RunState, fault_kind)),
                     static_cast<std::int32_t>(way.kind));
      emit_store_imm(a_, 4, state_field(offsetof(RunState, fault_instruction)),
                     static_cast<std::int32_t>(way.instruction));
      a_.jump(unwind_);
    }
  }

  Label fault_at(ebpf::FaultKind kind, std::uint32_t instruction) {
    faults_.push_back({.label = a_.new_label(), .kind = kind, .instruction = instruction});
    return faults_.back().label;
  }

  // ---- The instructions ----

  void emit_all() {
    const auto n = static_cast<std::uint32_t>(all_.size());
    for (index_ = 0; index_ < n; ++index_) {
      if (label_of_[index_] != kNone) {
        a_.bind({label_of_[index_]});
      }
      taken_along_ = 0;
      std::visit([this](const auto& instruction) { emit(instruction); }, all_[index_]);
      index_ += taken_along_;
    }
  }

  // The next instruction, when nothing jumps to it and it is a T.
  template <typename T>
  const T* following() const {
    const std::uint32_t at = index_ + 1;
    return at < all_.size() && label_of_[at] == kNone ? std::get_if<T>(&all_[at]) : nullptr;
  }

  void emit(const ebpf::Alu& alu) {
    const auto* next = following<ebpf::Alu>();
    if (next != nullptr && emit_on_copy(a_, alu, *next)) {
      taken_along_ = 1;
    } else {
      emit_alu(a_, alu);
    }
  }

  void emit(const ebpf::Endian& endian) {
    const auto* load = index_ > 0 && label_of_[index_] == kNone
                           ? std::get_if<ebpf::Load>(&all_[index_ - 1])
                           : nullptr;
    const bool is_zero_extended = load != nullptr && load->dst == endian.dst &&
                                  load->width == ebpf::Width::kH && !load->sign_extend;
    emit_endian(a_, endian, is_zero_extended);
  }

  ebpf::Proof proof() const {
    return proof_.accesses.empty() ? ebpf::Proof::kNone : proof_.accesses[index_];
  }

  // Where an access goes: base + offset if it is proven, else what the check left in kAddress.
  Mem place(Reg base, std::int16_t offset, ebpf::Width width, std::uint32_t what) {
    if (proof() != ebpf::Proof::kNone) {
      return {gp(base), offset};
    }
    ++checked_;
    emit_add(a_, Size::k64, kAddress, gp(base), offset);
    a_.mov_imm(kNumber, static_cast<std::uint32_t>(width) | what);
    a_.mov_imm(kIndex, index_);
    a_.call(check_);
    return {kAddress, 0};
  }

  void emit(const ebpf::Load& load) {
    const Mem from = place(load.src, load.offset, load.width, 0);
    emit_load(a_, extend_of(load.width, load.sign_extend), gp(load.dst), from);
  }

  void emit(const ebpf::Store& store) {
    const Mem to = place(store.dst, store.offset, store.width, kWrites);
    const auto bytes = static_cast<std::uint8_t>(store.width);
    if (const auto* reg = std::get_if<Reg>(&store.src)) {
      emit_store(a_, bytes, to, gp(*reg));
    } else {
      emit_store_imm(a_, bytes, to, std::get<std::int32_t>(store.src));
    }
  }

  void emit(const ebpf::Atomic& atomic) {
    emit_atomic(a_, atomic, place(atomic.dst, atomic.offset, atomic.width, kWrites | kAtomic));
  }

  void emit(const ebpf::LoadImm64& load) { a_.mov_imm(gp(load.dst), value_of(load, input_.data)); }

  void emit(const ebpf::LoadPacket& load) {
    a_.mov_imm(kAddress, static_cast<std::uint32_t>(load.imm));
    if (load.indirect) {
      a_.arith(Arith::kAdd, Size::k32, kAddress, kAddress, gp(load.index));
    }
    emit_saves_around_call(a_);
    a_.mov(Size::k64, Gp::kX0, kState);
    a_.mov(Size::k64, Gp::kX1, kAddress);
    a_.mov_imm(Gp::kX2, static_cast<std::uint32_t>(load.width));
    a_.mov_imm(kAddress, std::bit_cast<std::uint64_t>(&weir_jit_load_packet));
    a_.call(kAddress);
    emit_restores_around_call(a_);
    a_.jump_if_bit_set(gp(Reg::kR0), 63, packet_ends_);
  }

  void emit(const ebpf::Jump& jump) {
    const std::uint32_t to = target_of_[index_];
    if (to == index_ + 1) {
      return;
    }
    Label label{label_of_[to]};
    if (to <= index_) {
      backward_.push_back({.from = a_.new_label(),
                           .to = label,
                           .instruction = index_,
                           .distance = index_ - to + 1});
      label = backward_.back().from;
    }
    if (jump.op == ebpf::JumpOp::kJa) {
      a_.jump(label);
    } else {
      emit_jump(a_, jump, label);
    }
  }

  void emit(const ebpf::Call& call) {
    if (call.kind == ebpf::CallKind::kLocal) {
      call_local();
    } else {
      emit_helper_call(a_, helper_of(call, input_.helpers));
    }
  }

  void call_local() {
    constexpr std::int32_t kKeptBytes = 32;
    constexpr auto kFrameBytes = static_cast<std::int32_t>(ebpf::kFrameBytes);
    charge(Size::k32, kStateFramesLeft, 1, fault_at(ebpf::FaultKind::kDepth, index_));
    charge(Size::k64, kStateBudget, all_.size() + backs_,
           fault_at(ebpf::FaultKind::kBudget, index_));
    a_.push_pair(gp(Reg::kR6), gp(Reg::kR7), kKeptBytes);
    a_.store_pair({Gp::kSp, 16}, gp(Reg::kR8), gp(Reg::kR9));
    emit_add(a_, Size::k64, kFrame, kFrame, -kFrameBytes);
    emit_zero_stack(a_, kFrameBytes);
    called_.push_back({.from = a_.new_label(), .to = {label_of_[target_of_[index_]]}});
    a_.call(called_.back().from);
    emit_add(a_, Size::k64, kFrame, kFrame, kFrameBytes);
    a_.load_pair(Size::k64, {Gp::kSp, 16}, gp(Reg::kR8), gp(Reg::kR9));
    a_.pop_pair(gp(Reg::kR6), gp(Reg::kR7), kKeptBytes);
    a_.load(Extend::kZero32, kAddress, kStateFramesLeft);
    a_.arith_imm(Arith::kAdd, Size::k32, kAddress, kAddress, 1);
    a_.store(4, kStateFramesLeft, kAddress);
  }

  void emit(const ebpf::Exit&) {
    if (calls_) {
      a_.pop(Gp::kX30);
      a_.ret();
    } else {
      a_.jump(exit_);
    }
  }

  static constexpr std::int32_t kSavedBytes = 64;

  struct Back {
    Label from;
    Label to;
    std::uint32_t instruction = 0;
    std::uint32_t distance = 0;  // In instructions.
  };
  struct Called {
    Label from;
    Label to;
  };
  struct FaultWay {
    Label label;
    ebpf::FaultKind kind = ebpf::FaultKind::kNone;
    std::uint32_t instruction = 0;
  };

  const CompileInput& input_;
  const std::vector<Instruction>& all_;
  const ebpf::AccessProof& proof_;
  std::int32_t stack_bytes_ = 0;  // Of the first frame: what the program can touch.
  Assembler a_;
  std::vector<std::uint32_t> target_of_;  // Of jumps and local calls; else kNoTarget.
  std::vector<std::uint32_t> label_of_;   // Of instructions that are led to; else kNone.
  std::vector<Back> backward_;
  std::vector<Called> called_;
  std::vector<FaultWay> faults_;
  Label exit_;
  Label check_;
  Label unwind_;
  Label packet_ends_;
  std::size_t backs_ = 0;  // Backward jumps.
  std::size_t checked_ = 0;
  std::int32_t native_frame_ = 0;  // Bytes of native stack below the saved registers.
  std::uint32_t index_ = 0;        // The instruction in hand,
  std::uint32_t taken_along_ = 0;  // and how many behind it were done with it.
  bool calls_ = false;             // Whether the program has local calls.
};

}  // namespace

Result<CompiledCode> compile_checked(const CompileInput& input, const ebpf::AccessProof& proof) {
  return Compiler(input, proof).run();
}

}  // namespace weir::jit::aarch64
