// One pass over the instructions. What a program needs beside its instructions' own code (the loop
// over packets, checks, ways out) is made here; the code of single instructions in emit_x86.cpp.
//
// Batch code: r12 is the packet in hand (its UserPacket), r9 where its verdict goes, [rsp + 0] the
// end of the packets, [rsp + 8] the common context, [rsp + 16] how far ahead to prefetch. r1 is
// r12: the context is not in memory, its fields are read from the UserPacket and the common
// context. Checked code: r12 is the RunState.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <optional>
#include <utility>

#include "translator/ebpf/prove.h"
#include "translator/ebpf/user_check.h"
#include "translator/jit/compile.h"
#include "translator/jit/emit_x86.h"
#include "translator/jit/runtime.h"

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

constexpr Mem kBatchEnd{Gp::kRsp, 0};
constexpr Mem kCommon{Gp::kRsp, 8};
constexpr Mem kAhead{Gp::kRsp, 16};
constexpr std::int32_t kBatchLocals = 32;
constexpr std::int32_t kPacketBytes = sizeof(ebpf::UserPacket);
// Exits that get a copy of the loop's end; more of them jump to one.
constexpr int kCopiedExits = 8;

constexpr Mem state_field(std::size_t offset) {
  return {Gp::kR12, static_cast<std::int32_t>(offset)};
}
constexpr Mem kStateR0 = state_field(offsetof(RunState, r0));
constexpr Mem kStateBudget = state_field(offsetof(RunState, budget));
constexpr Mem kStateNativeStack = state_field(offsetof(RunState, native_stack));
constexpr Mem kStateFramesLeft = state_field(offsetof(RunState, frames_left));

constexpr Gp kSavedByCallee[] = {Gp::kRbx, Gp::kRbp, Gp::kR12, Gp::kR13, Gp::kR14, Gp::kR15};
// What a call of C++ may change and the program has values in; r9 is the batch's verdict.
constexpr Gp kSavedAroundCalls[] = {Gp::kRdi, Gp::kRsi, Gp::kRdx, Gp::kRcx, Gp::kR8, Gp::kR9};

class Compiler {
 public:
  explicit Compiler(const CompileInput& input)
      : input_(input), all_(input.program.instructions), a_(all_.size() * 8 + 512) {}

  Result<CompiledCode> run() {
    if (Status status = ebpf::check_for_user_space(input_.program, input_.helpers,
                                                   input_.options.legacy_packet_access);
        !status) {
      return tl::make_unexpected(std::move(status.error()));
    }
    find_targets();
    prepare();
    if (batch_) {
      begin_batch();
    } else {
      begin_checked();
    }
    emit_all();
    if (batch_) {
      end_batch();
    } else {
      end_checked();
    }
    return CompiledCode{.bytes = a_.finish(),
                        .batch = batch_,
                        .checked_accesses = checked_,
                        .frame_bytes = static_cast<std::uint32_t>(stack_bytes_)};
  }

 private:
  // ---- Before any code ----

  // The instruction each jump and local call leads to, and which are led to.
  void find_targets() {
    const auto n = static_cast<std::uint32_t>(all_.size());
    std::vector<std::uint32_t> slot_of(n);
    std::vector<std::uint32_t> at_slot;
    at_slot.reserve(n + 8);
    for (std::uint32_t i = 0; i < n; ++i) {
      slot_of[i] = static_cast<std::uint32_t>(at_slot.size());
      at_slot.push_back(i);
      if (slots(all_[i]) == 2) {
        at_slot.push_back(kNone);
      }
    }
    target_of_.assign(n, kNone);
    label_of_.assign(n, kNone);
    for (index_ = 0; index_ < n; ++index_) {
      std::int64_t distance = 0;
      if (const auto* jump = std::get_if<ebpf::Jump>(&all_[index_])) {
        distance = jump->offset;
      } else if (const auto* call = std::get_if<ebpf::Call>(&all_[index_]);
                 call != nullptr && call->kind == ebpf::CallKind::kLocal) {
        distance = call->imm;
        calls_ = true;
      } else {
        continue;
      }
      const std::int64_t slot = std::int64_t{slot_of[index_]} + 1 + distance;
      const std::uint32_t to = at_slot[static_cast<std::size_t>(slot)];
      target_of_[index_] = to;
      if (label_of_[to] == kNone) {
        label_of_[to] = a_.new_label().id;
      }
      backs_ += to <= index_ && std::holds_alternative<ebpf::Jump>(all_[index_]) ? 1 : 0;
    }
  }

  void prepare() {
    stack_bytes_ = stack_bytes();
    if (input_.options.runs_on == RunsOn::kPackets) {
      proof_ = ebpf::prove_packet_accesses(input_.program);
      const bool legacy = std::any_of(all_.begin(), all_.end(), [](const Instruction& one) {
        return std::holds_alternative<ebpf::LoadPacket>(one);
      });
      batch_ = proof_.forward && proof_.unproven == 0 && proof_.context_only_loaded && !legacy;
    }
    next_packet_ = a_.new_label();
    done_ = a_.new_label();
    exit_ = a_.new_label();
    check_ = a_.new_label();
    unwind_ = a_.new_label();
    packet_ends_ = a_.new_label();
  }

  // How far below r10 a run may reach. Where r10 is only the base of loads and stores it is what
  // they reach; a frame where it goes elsewhere.
  std::int32_t stack_bytes() const {
    constexpr auto kWhole = static_cast<std::int32_t>(ebpf::kFrameBytes);
    if (calls_) {
      return kWhole;
    }
    std::int32_t lowest = 0;
    for (const Instruction& instruction : all_) {
      const std::optional<std::int32_t> reach = reach_below_frame(instruction);
      if (!reach) {
        return kWhole;
      }
      lowest = std::min(lowest, *reach);
    }
    return std::min((-lowest + 7) / 8 * 8, kWhole);
  }

  // The lowest offset from r10 an instruction touches, 0 for none; nothing when r10 is copied.
  static std::optional<std::int32_t> reach_below_frame(const Instruction& instruction) {
    const auto is_frame = [](const Operand& operand) { return operand == Operand(Reg::kR10); };
    if (const auto* alu = std::get_if<ebpf::Alu>(&instruction)) {
      return is_frame(alu->src) ? std::nullopt : std::optional<std::int32_t>(0);
    }
    if (const auto* load = std::get_if<ebpf::Load>(&instruction)) {
      return load->src == Reg::kR10 ? load->offset : 0;
    }
    if (const auto* store = std::get_if<ebpf::Store>(&instruction)) {
      if (is_frame(store->src)) {
        return std::nullopt;
      }
      return store->dst == Reg::kR10 ? store->offset : 0;
    }
    if (const auto* atomic = std::get_if<ebpf::Atomic>(&instruction)) {
      if (atomic->src == Reg::kR10) {
        return std::nullopt;
      }
      return atomic->dst == Reg::kR10 ? atomic->offset : 0;
    }
    return 0;
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

  void begin_batch() {
    native_frame_ = aligned_frame(kBatchLocals + stack_bytes_);
    push_saved();
    a_.arith(Arith::kSub, Size::k64, Gp::kRsp, native_frame_);
    a_.mov(Size::k64, Gp::kR12, Gp::kRdi);
    a_.store(8, kBatchEnd, Gp::kRsi);
    a_.mov(Size::k64, Gp::kR9, Gp::kRdx);
    a_.store(8, kCommon, Gp::kRcx);
    a_.store(8, kAhead, Gp::kR8);
    if (stack_bytes_ != 0) {
      a_.lea(Gp::kRbp, {Gp::kRsp, kBatchLocals + stack_bytes_});
    }
    a_.bind(next_packet_);
    if (input_.options.prefetch) {
      a_.load(Extend::kNone64, Gp::kR10, kAhead);
      a_.arith(Arith::kAdd, Size::k64, Gp::kR10, Gp::kR12);
      a_.load(Extend::kNone64, Gp::kR10, {Gp::kR10, offsetof(ebpf::UserPacket, data)});
      a_.prefetch({Gp::kR10, 0});
      a_.prefetch({Gp::kR10, 64});
    }
    a_.mov(Size::k64, gp(Reg::kR1), Gp::kR12);
    for (unsigned reg = 0; reg < 10; ++reg) {
      if ((proof_.read_unwritten >> reg & 1U) != 0) {
        a_.zero(gp(static_cast<Reg>(reg)));
      }
    }
    if (proof_.stack_read_unwritten) {
      zero_stack(stack_bytes_);
    }
  }

  // The end of a packet's run; `verdict`, or eax when nothing.
  void end_packet(std::optional<std::int32_t> verdict) {
    if (verdict) {
      a_.store_imm(4, {Gp::kR9, 0}, *verdict);
    } else {
      a_.store(4, {Gp::kR9, 0}, Gp::kRax);
    }
    leave_packet();
  }
  void leave_packet() {
    if (exits_++ >= kCopiedExits) {
      a_.jmp(exit_);
      shared_exit_ = true;
      return;
    }
    go_to_next_packet();
  }
  void go_to_next_packet() {
    a_.arith(Arith::kAdd, Size::k64, Gp::kR12, kPacketBytes);
    a_.arith(Arith::kAdd, Size::k64, Gp::kR9, 4);
    a_.arith_mem(Arith::kCmp, Size::k64, Gp::kR12, kBatchEnd);
    a_.jcc(Condition::kNotEqual, next_packet_);
    a_.jmp(done_);
  }

  void end_batch() {
    if (shared_exit_) {
      a_.bind(exit_);
      go_to_next_packet();
    }
    a_.bind(done_);
    a_.arith(Arith::kAdd, Size::k64, Gp::kRsp, native_frame_);
    pop_saved_and_return();
  }

  void begin_checked() {
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
    zero_stack(stack_bytes_);
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

  // The lowest `bytes` below r10 become 0.
  void zero_stack(std::int32_t bytes) {
    constexpr std::int32_t kUnrolled = 64;
    if (bytes <= kUnrolled) {
      for (std::int32_t at = 8; at <= bytes; at += 8) {
        a_.store_imm(8, {Gp::kRbp, -at}, 0);
      }
      return;
    }
    const Label again = a_.new_label();
    a_.lea(Gp::kR10, {Gp::kRbp, -bytes});
    a_.bind(again);
    a_.store_imm(8, {Gp::kR10, 0}, 0);
    a_.arith(Arith::kAdd, Size::k64, Gp::kR10, 8);
    a_.arith(Arith::kCmp, Size::k64, Gp::kR10, Gp::kRbp);
    a_.jcc(Condition::kNotEqual, again);
  }

  void end_checked() {
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

  void emit(const ebpf::Alu& alu) {
    if (batch_ && emit_constant_exit(alu)) {
      return;
    }
    if (!emit_three_operand_add(alu)) {
      emit_alu(a_, alu);
    }
  }

  // r0 = a constant; exit.
  bool emit_constant_exit(const ebpf::Alu& alu) {
    const std::optional<std::int32_t> verdict = constant_r0(alu);
    if (!verdict || following<ebpf::Exit>() == nullptr) {
      return false;
    }
    end_packet(verdict);
    taken_along_ = 1;
    return true;
  }
  static std::optional<std::int32_t> constant_r0(const ebpf::Alu& alu) {
    const auto* imm = std::get_if<std::int32_t>(&alu.src);
    if (alu.op != ebpf::AluOp::kMov || alu.dst != Reg::kR0 || imm == nullptr) {
      return std::nullopt;
    }
    return *imm;
  }

  // dst = src; dst += something, of 64 bits: one lea.
  bool emit_three_operand_add(const ebpf::Alu& alu) {
    const auto* src = std::get_if<Reg>(&alu.src);
    const auto* add = following<ebpf::Alu>();
    if (alu.op != ebpf::AluOp::kMov || !alu.is64 || src == nullptr || add == nullptr ||
        add->op != ebpf::AluOp::kAdd || !add->is64 || add->dst != alu.dst) {
      return false;
    }
    if (const auto* imm = std::get_if<std::int32_t>(&add->src)) {
      a_.lea(gp(alu.dst), {gp(*src), *imm});
    } else {
      const Reg index = std::get<Reg>(add->src);
      if (index == alu.dst || index > Reg::kR10) {
        return false;
      }
      a_.lea_sum(gp(alu.dst), gp(*src), gp(index));
    }
    taken_along_ = 1;
    return true;
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
    if (batch_ && proof() == ebpf::Proof::kContext) {
      load_context_field(load);
    } else {
      a_.load(extend_of(load), gp(load.dst), place(load.src, load.offset, load.width, 0));
    }
  }

  // A field of the context of batch code; the base register holds the UserPacket's address.
  void load_context_field(const ebpf::Load& load) {
    constexpr std::int32_t kData = offsetof(ebpf::UserPacket, data);
    constexpr std::int32_t kCaptured = offsetof(ebpf::UserPacket, captured);
    constexpr std::int32_t kLength = offsetof(ebpf::UserPacket, length);
    const Gp dst = gp(load.dst);
    switch (load.offset) {
      case offsetof(ebpf::UserContext, data):
        return a_.load(Extend::kNone64, dst, {Gp::kR12, kData});
      case offsetof(ebpf::UserContext, data_end):
        a_.load(Extend::kZero32, dst, {Gp::kR12, kCaptured});
        return a_.arith_mem(Arith::kAdd, Size::k64, dst, {Gp::kR12, kData});
      case offsetof(ebpf::UserContext, length):
        return a_.load(Extend::kZero32, dst, {Gp::kR12, kLength});
      default:
        a_.load(Extend::kNone64, Gp::kR11, kCommon);
        return a_.load(Extend::kZero32, dst, {Gp::kR11, load.offset});
    }
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

  void emit(const ebpf::LoadImm64& load) {
    std::uint64_t value = load.value;
    if (load.kind == ebpf::Imm64Kind::kMapValueIndex) {
      value = input_.data[static_cast<std::uint32_t>(load.value)].address + (load.value >> 32);
    }
    a_.mov_imm(gp(load.dst), value);
  }

  void emit(const ebpf::LoadPacket& load) {
    a_.mov_imm32(Gp::kR10, static_cast<std::uint32_t>(load.imm));
    if (load.indirect) {
      a_.arith(Arith::kAdd, Size::k32, Gp::kR10, gp(load.index));
    }
    push_around_call();
    a_.mov(Size::k64, Gp::kRdi, Gp::kR12);
    a_.mov(Size::k64, Gp::kRsi, Gp::kR10);
    a_.mov_imm32(Gp::kRdx, static_cast<std::uint32_t>(load.width));
    a_.mov_imm(Gp::kRax, std::bit_cast<std::uint64_t>(&weir_jit_load_packet));
    a_.call(Gp::kRax);
    pop_around_call();
    a_.test(Size::k64, Gp::kRax, Gp::kRax);
    a_.jcc(Condition::kSign, packet_ends_);
  }

  void push_around_call() {
    for (const Gp reg : kSavedAroundCalls) {
      a_.push(reg);
    }
  }
  void pop_around_call() {
    for (std::size_t i = std::size(kSavedAroundCalls); i-- > 0;) {
      a_.pop(kSavedAroundCalls[i]);
    }
  }

  void emit(const ebpf::Jump& jump) {
    if (jump.op != ebpf::JumpOp::kJa) {
    }
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
    const Condition condition = emit_compare(a_, jump);
    if (!batch_ || !emit_verdict_choice(condition, to)) {
      a_.jcc(condition, label);
    }
  }

  // Where both ways set r0 to a constant and exit, the choice needs no jump.
  bool emit_verdict_choice(Condition condition, std::uint32_t to) {
    const auto* here = following<ebpf::Alu>();
    const auto* there = std::get_if<ebpf::Alu>(&all_[to]);
    if (here == nullptr || there == nullptr || following<ebpf::Exit>(2) == nullptr ||
        to + 1 >= all_.size() || !std::holds_alternative<ebpf::Exit>(all_[to + 1])) {
      return false;
    }
    const std::optional<std::int32_t> otherwise = constant_r0(*here);
    const std::optional<std::int32_t> taken = constant_r0(*there);
    if (!otherwise || !taken) {
      return false;
    }
    a_.mov_imm32(Gp::kR10, static_cast<std::uint32_t>(*otherwise));
    a_.mov_imm32(Gp::kR11, static_cast<std::uint32_t>(*taken));
    a_.cmov(condition, Size::k32, Gp::kR10, Gp::kR11);
    a_.store(4, {Gp::kR9, 0}, Gp::kR10);
    leave_packet();
    taken_along_ = 2;
    return true;
  }

  void emit(const ebpf::Call& call) {
    if (call.kind == ebpf::CallKind::kLocal) {
      call_local();
    } else {
      call_helper(call.imm);
    }
  }

  void call_helper(std::int32_t number) {
    const auto helper =
        std::find_if(input_.helpers.begin(), input_.helpers.end(),
                     [number](const ebpf::Helper& one) { return one.number == number; });
    push_around_call();
    // r1 to r5 move up by one, to make room for `user`.
    a_.mov(Size::k64, Gp::kR9, Gp::kR8);
    a_.mov(Size::k64, Gp::kR8, Gp::kRcx);
    a_.mov(Size::k64, Gp::kRcx, Gp::kRdx);
    a_.mov(Size::k64, Gp::kRdx, Gp::kRsi);
    a_.mov(Size::k64, Gp::kRsi, Gp::kRdi);
    a_.mov_imm(Gp::kRdi, reinterpret_cast<std::uint64_t>(helper->user));
    a_.mov_imm(Gp::kRax, std::bit_cast<std::uint64_t>(helper->function));
    a_.call(Gp::kRax);
    pop_around_call();
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
    zero_stack(kFrame);
    a_.call(Label{label_of_[target_of_[index_]]});
    a_.arith(Arith::kAdd, Size::k64, Gp::kRbp, kFrame);
    a_.arith(Arith::kAdd, Size::k64, Gp::kRsp, 8);
    for (std::size_t i = std::size(kKept); i-- > 0;) {
      a_.pop(gp(kKept[i]));
    }
    a_.arith_mem_imm(Arith::kAdd, Size::k32, kStateFramesLeft, 1);
  }

  void emit(const ebpf::Exit&) {
    if (batch_) {
      end_packet(std::nullopt);
    } else if (calls_) {
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
  x86::Assembler a_;
  ebpf::AccessProof proof_;               // Empty when nothing was tried.
  std::vector<std::uint32_t> target_of_;  // Of jumps and local calls; else kNone.
  std::vector<std::uint32_t> label_of_;   // Of instructions that are led to; else kNone.
  std::vector<Back> backward_;
  std::vector<FaultWay> faults_;
  Label next_packet_;
  Label done_;
  Label exit_;
  Label check_;
  Label unwind_;
  Label packet_ends_;
  std::size_t backs_ = 0;  // Backward jumps.
  std::size_t checked_ = 0;
  std::int32_t stack_bytes_ = 0;   // Of the first frame: what the program can touch.
  std::int32_t native_frame_ = 0;  // Bytes of native stack below the saved registers.
  std::uint32_t index_ = 0;        // The instruction in hand,
  std::uint32_t taken_along_ = 0;  // and how many behind it were done with it.
  int exits_ = 0;
  bool shared_exit_ = false;
  bool calls_ = false;  // Whether the program has local calls.
  bool batch_ = false;
};

}  // namespace

Result<CompiledCode> compile(const CompileInput& input) { return Compiler(input).run(); }

}  // namespace weir::jit
