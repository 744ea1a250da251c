// Programs of any kind: a run at a time, with a check before each access that is not proven. What a
// program needs beside its instructions' own code (checks, charges, ways out) is made here; the
// code of single instructions in emit_x86.cpp. r12 is the RunState.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <optional>
#include <utility>

#include "translator/jit/compile.h"
#include "translator/jit/runtime.h"
#include "translator/jit/x86/emit.h"
#include "translator/userspace/check.h"

namespace weir::jit {
namespace {

using ebpf::Instruction;
using ebpf::Operand;
using ebpf::Reg;
using x86::Arith;
using x86::Condition;
using x86::Extend;
using x86::Gp;
using x86::Label;
using x86::Mem;
using x86::Size;

constexpr std::uint32_t kNone = 0xffffffff;

constexpr Mem state_field(std::size_t offset) {
  return {Gp::kR12, static_cast<std::int32_t>(offset)};
}
constexpr Mem kStateR0 = state_field(offsetof(RunState, r0));
constexpr Mem kStateBudget = state_field(offsetof(RunState, budget));
constexpr Mem kStateNativeStack = state_field(offsetof(RunState, native_stack));
constexpr Mem kStateFramesLeft = state_field(offsetof(RunState, frames_left));

constexpr Gp kSavedByCallee[] = {Gp::kRbx, Gp::kRbp, Gp::kR12, Gp::kR13, Gp::kR14, Gp::kR15};
class Compiler {
 public:
  Compiler(const CompileInput& input, const ebpf::AccessProof& proof)
      : input_(input),
        all_(input.program.instructions),
        proof_(proof),
        stack_bytes_(static_cast<std::int32_t>(ebpf::stack_bytes(input.program))),
        a_(all_.size() * 8 + 512) {}

  CompiledCode run() {
    find_targets();
    exit_ = a_.new_label();
    check_ = a_.new_label();
    unwind_ = a_.new_label();
    packet_ends_ = a_.new_label();
    begin();
    emit_all();
    end();
    return {.bytes = a_.finish(),
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

  void push_saved() {
    for (const Gp reg : kSavedByCallee) {
      a_.push(reg);
    }
  }
  void pop_saved_and_return() {
    for (std::size_t i = std::size(kSavedByCallee); i-- > 0;) {
      a_.pop(kSavedByCallee[i]);
    }
    a_.ret();
  }

  // Bytes of native stack below the saved registers: `wanted` and what aligns rsp to 16 there. The
  // return address and six registers are 56 bytes.
  static std::int32_t aligned_frame(std::int32_t wanted) { return (wanted + 15) / 16 * 16 + 8; }

  void begin() {
    const std::int32_t stack =
        calls_ ? static_cast<std::int32_t>(ebpf::kFrameBytes * ebpf::kFrames) : stack_bytes_;
    // With local calls the program itself is called, so that each of its exits is a return.
    native_frame_ = aligned_frame(stack) + (calls_ ? 8 : 0);
    push_saved();
    a_.arith(Arith::kSub, Size::k64, Gp::kRsp, native_frame_);
    a_.mov(Size::k64, Gp::kR12, Gp::kRdi);
    a_.lea(Gp::kRbp, {Gp::kRsp, stack});
    a_.store(8, state_field(offsetof(RunState, stack_top)), Gp::kRbp);
    a_.store(8, kStateNativeStack, Gp::kRsp);
    emit_zero_stack(a_, stack_bytes_);
    a_.load(Extend::kNone64, Gp::kRdi, state_field(offsetof(RunState, r1)));
    a_.load(Extend::kNone64, Gp::kRsi, state_field(offsetof(RunState, r2)));
    for (const Reg reg :
         {Reg::kR0, Reg::kR3, Reg::kR4, Reg::kR5, Reg::kR6, Reg::kR7, Reg::kR8, Reg::kR9}) {
      a_.zero(gp(reg));
    }
    if (calls_) {
      const Label body = a_.new_label();
      a_.call(body);
      a_.jmp(exit_);
      a_.bind(body);
    }
  }

  void end() {
    const Label leave = a_.new_label();
    emit_cold();
    a_.bind(packet_ends_);
    a_.zero(Gp::kRax);
    a_.load(Extend::kNone64, Gp::kRsp, kStateNativeStack);
    a_.bind(exit_);
    a_.store(8, kStateR0, Gp::kRax);
    a_.bind(leave);
    a_.arith(Arith::kAdd, Size::k64, Gp::kRsp, native_frame_);
    pop_saved_and_return();
    a_.bind(unwind_);
    a_.load(Extend::kNone64, Gp::kRsp, kStateNativeStack);
    a_.jmp(leave);
    if (checked_ != 0) {
      emit_check_stub();
    }
  }

  // Asks whether an access may be made: its address in r10, what it does in r9, the instruction in
  // r11. Comes back when it may. Keeps the program's registers and r10.
  void emit_check_stub() {
    constexpr Gp kKept[] = {Gp::kRax, Gp::kRdi, Gp::kRsi, Gp::kRdx, Gp::kRcx, Gp::kR8, Gp::kR10};
    a_.bind(check_);
    for (const Gp reg : kKept) {
      a_.push(reg);
    }
    a_.mov(Size::k64, Gp::kRdi, Gp::kR12);
    a_.mov(Size::k64, Gp::kRsi, Gp::kR10);
    a_.mov(Size::k64, Gp::kRdx, Gp::kR9);
    a_.mov(Size::k64, Gp::kRcx, Gp::kRbp);
    a_.mov(Size::k64, Gp::kR8, Gp::kR11);
    a_.mov_imm(Gp::kRax, std::bit_cast<std::uint64_t>(&weir_jit_check_access));
    a_.call(Gp::kRax);
    a_.test(Size::k64, Gp::kRax, Gp::kRax);
    for (std::size_t i = std::size(kKept); i-- > 0;) {
      a_.pop(kKept[i]);
    }
    a_.jcc(Condition::kNotEqual, unwind_);
    a_.ret();
  }

  // Ways that are seldom gone: backward jumps with their charge, and faults.
  void emit_cold() {
    for (const Back& back : backward_) {
      a_.bind(back.from);
      const Label exhausted = fault_at(ebpf::FaultKind::kBudget, back.instruction);
      a_.arith_mem_imm(Arith::kSub, Size::k64, kStateBudget, back.distance);
      a_.jcc(Condition::kBelow, exhausted);
      a_.jmp(back.to);
    }
    for (const FaultWay& way : faults_) {
      a_.bind(way.label);
      a_.store_imm(4, state_field(offsetof(RunState, fault_kind)),
                   static_cast<std::int32_t>(way.kind));
      a_.store_imm(4, state_field(offsetof(RunState, fault_instruction)),
                   static_cast<std::int32_t>(way.instruction));
      a_.jmp(unwind_);
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

  // The instruction `ahead` of the one in hand, when nothing jumps to it and it is a T.
  template <typename T>
  const T* following(std::uint32_t ahead = 1) const {
    const std::uint32_t at = index_ + ahead;
    return at < all_.size() && label_of_[at] == kNone ? std::get_if<T>(&all_[at]) : nullptr;
  }

  // dst = src; dst += something, of 64 bits: one lea.
  void emit(const ebpf::Alu& alu) {
    const auto* next = following<ebpf::Alu>();
    if (next != nullptr && emit_sum(a_, alu, *next)) {
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

  // Where an access goes: base + offset if it is proven, else what the check left in r10.
  Mem place(Reg base, std::int16_t offset, ebpf::Width width, std::uint32_t what) {
    const Mem direct{gp(base), offset};
    if (proof() != ebpf::Proof::kNone) {
      return direct;
    }
    ++checked_;
    a_.lea(Gp::kR10, direct);
    a_.mov_imm32(Gp::kR9, static_cast<std::uint32_t>(width) | what);
    a_.mov_imm32(Gp::kR11, index_);
    a_.call(check_);
    return {Gp::kR10, 0};
  }

  void emit(const ebpf::Load& load) {
    a_.load(extend_of(load.width, load.sign_extend), gp(load.dst),
            place(load.src, load.offset, load.width, 0));
  }

  void emit(const ebpf::Store& store) {
    const Mem to = place(store.dst, store.offset, store.width, kWrites);
    const auto bytes = static_cast<std::uint8_t>(store.width);
    if (const auto* reg = std::get_if<Reg>(&store.src)) {
      a_.store(bytes, to, gp(*reg));
    } else {
      a_.store_imm(bytes, to, std::get<std::int32_t>(store.src));
    }
  }

  void emit(const ebpf::Atomic& atomic) {
    const Mem to = place(atomic.dst, atomic.offset, atomic.width, kWrites | kAtomic);
    emit_atomic(a_, atomic, to);
  }

  void emit(const ebpf::LoadImm64& load) { a_.mov_imm(gp(load.dst), value_of(load, input_.data)); }

  void emit(const ebpf::LoadPacket& load) {
    a_.mov_imm32(Gp::kR10, static_cast<std::uint32_t>(load.imm));
    if (load.indirect) {
      a_.arith(Arith::kAdd, Size::k32, Gp::kR10, gp(load.index));
    }
    emit_saves_around_call(a_);
    a_.mov(Size::k64, Gp::kRdi, Gp::kR12);
    a_.mov(Size::k64, Gp::kRsi, Gp::kR10);
    a_.mov_imm32(Gp::kRdx, static_cast<std::uint32_t>(load.width));
    a_.mov_imm(Gp::kRax, std::bit_cast<std::uint64_t>(&weir_jit_load_packet));
    a_.call(Gp::kRax);
    emit_restores_around_call(a_);
    a_.test(Size::k64, Gp::kRax, Gp::kRax);
    a_.jcc(Condition::kSign, packet_ends_);
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
                           .distance = static_cast<std::int32_t>(index_ - to + 1)});
      label = backward_.back().from;
    }
    if (jump.op == ebpf::JumpOp::kJa) {
      a_.jmp(label);
      return;
    }
    a_.jcc(emit_compare(a_, jump), label);
  }

  void emit(const ebpf::Call& call) {
    if (call.kind == ebpf::CallKind::kLocal) {
      call_local();
    } else {
      emit_helper_call(a_, helper_of(call, input_.helpers));
    }
  }

  // The four registers and 8 bytes, with the return address, keep rsp aligned.
  void call_local() {
    constexpr Reg kKept[] = {Reg::kR6, Reg::kR7, Reg::kR8, Reg::kR9};
    constexpr auto kFrame = static_cast<std::int32_t>(ebpf::kFrameBytes);
    a_.arith_mem_imm(Arith::kSub, Size::k32, kStateFramesLeft, 1);
    a_.jcc(Condition::kBelow, fault_at(ebpf::FaultKind::kDepth, index_));
    a_.arith_mem_imm(Arith::kSub, Size::k64, kStateBudget,
                     static_cast<std::int32_t>(all_.size() + backs_));
    a_.jcc(Condition::kBelow, fault_at(ebpf::FaultKind::kBudget, index_));
    for (const Reg reg : kKept) {
      a_.push(gp(reg));
    }
    a_.arith(Arith::kSub, Size::k64, Gp::kRsp, 8);
    a_.arith(Arith::kSub, Size::k64, Gp::kRbp, kFrame);
    emit_zero_stack(a_, kFrame);
    a_.call(Label{label_of_[target_of_[index_]]});
    a_.arith(Arith::kAdd, Size::k64, Gp::kRbp, kFrame);
    a_.arith(Arith::kAdd, Size::k64, Gp::kRsp, 8);
    for (std::size_t i = std::size(kKept); i-- > 0;) {
      a_.pop(gp(kKept[i]));
    }
    a_.arith_mem_imm(Arith::kAdd, Size::k32, kStateFramesLeft, 1);
  }

  void emit(const ebpf::Exit&) {
    if (calls_) {
      a_.ret();
    } else {
      a_.jmp(exit_);
    }
  }

  struct Back {
    Label from;
    Label to;
    std::uint32_t instruction = 0;
    std::int32_t distance = 0;  // In instructions.
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
  x86::Assembler a_;
  std::vector<std::uint32_t> target_of_;  // Of jumps and local calls; else kNone.
  std::vector<std::uint32_t> label_of_;   // Of instructions that are led to; else kNone.
  std::vector<Back> backward_;
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

CompiledCode x86::compile_checked(const CompileInput& input, const ebpf::AccessProof& proof) {
  return Compiler(input, proof).run();
}

}  // namespace weir::jit
