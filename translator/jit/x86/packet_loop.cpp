#include "translator/jit/x86/packet_loop.h"

#include <algorithm>
#include <array>

#include "translator/jit/x86/emit.h"
#include "translator/userspace/check.h"

namespace weir::jit {
namespace {

using ebpf::PacketOp;
using ebpf::PacketOpKind;
using ebpf::Reg;
using x86::Arith;
using x86::Condition;
using x86::Extend;
using x86::Gp;
using x86::Mem;
using x86::Size;

constexpr std::int32_t kData = offsetof(ebpf::UserPacket, data);
static_assert(sizeof(ebpf::UserPacket) == 4 * sizeof(std::uint32_t));  // 4 * r12.

constexpr std::int32_t kCacheLine = 64;
constexpr std::size_t kLoopAlignment = 32;
// Ends that get a copy of the loop's own; more of them jump to one.
constexpr int kCopiedEnds = 8;
constexpr std::size_t kMostKnownVerdicts = 2;

constexpr std::array kKeptByCallee = {Gp::kRbx, Gp::kRbp, Gp::kR12, Gp::kR13, Gp::kR14, Gp::kR15};

bool is_kept_by_callee(Gp reg) {
  return std::find(kKeptByCallee.begin(), kKeptByCallee.end(), reg) != kKeptByCallee.end();
}

}  // namespace

PacketLoop::PacketLoop(const CompileInput& input, const ebpf::PacketProgram& form)
    : input_(input),
      form_(form),
      ops_(form.ops),
      stack_bytes_(static_cast<std::int32_t>(ebpf::stack_bytes(input.program))),
      a_(ops_.size() * 12 + 256) {}

void PacketLoop::choose_registers() {
  std::vector<Gp> free;
  free.reserve(11);
  saved_.reserve(kKeptByCallee.size());
  for (unsigned n = 0; n <= 10; ++n) {
    const Gp reg = gp(static_cast<Reg>(n));
    // A call takes what C++ does not keep.
    if ((form_.used >> n & 1U) == 0 && (!form_.calls || is_kept_by_callee(reg))) {
      free.push_back(reg);
    }
  }
  // Those that need not be saved first.
  std::stable_partition(free.begin(), free.end(), [](Gp reg) { return !is_kept_by_callee(reg); });
  std::size_t taken = 0;
  for (Place* place : {&packets_, &verdicts_, &ahead_}) {
    if (taken < free.size()) {
      place->reg = free[taken++];
    } else {
      place->slot = locals_;
      locals_ += 8;
    }
  }
  if (taken < free.size()) {
    failed_ = free[taken++];
  }
  for (const PacketOp& op : ops_) {
    if (op.kind == PacketOpKind::kVerdict && taken < free.size() && !knows(op.value) &&
        known_verdicts_.size() < kMostKnownVerdicts) {
      known_verdicts_.push_back({.value = op.value, .reg = free[taken++]});
    }
  }
  common_.slot = locals_;
  locals_ += 8;
  for (const Gp reg : kKeptByCallee) {
    const bool of_program = program_uses(reg);
    const bool of_loop = reg == kCount || packets_.reg == reg || verdicts_.reg == reg ||
                         ahead_.reg == reg || failed_ == reg ||
                         std::any_of(known_verdicts_.begin(), known_verdicts_.end(),
                                     [reg](const KnownVerdict& known) { return known.reg == reg; });
    if (of_program || of_loop) {
      saved_.push_back(reg);
    }
  }
  // The return address, the saved registers and the frame together are a multiple of 16.
  frame_ = (locals_ + stack_bytes_ + 15) / 16 * 16;
  if (saved_.size() % 2 == 0) {
    frame_ += 8;
  }
}

bool PacketLoop::knows(std::uint32_t verdict) const {
  return std::any_of(known_verdicts_.begin(), known_verdicts_.end(),
                     [verdict](const KnownVerdict& known) { return known.value == verdict; });
}

bool PacketLoop::program_uses(Gp reg) const {
  for (unsigned n = 0; n <= 10; ++n) {
    if (gp(static_cast<Reg>(n)) == reg && (form_.used >> n & 1U) != 0) {
      return true;
    }
  }
  return false;
}

Mem PacketLoop::slot(const Place& place) const { return {Gp::kRsp, place.slot}; }

Gp PacketLoop::in_register(const Place& place, Gp scratch) {
  if (place.reg) {
    return *place.reg;
  }
  a_.load(Extend::kNone64, scratch, slot(place));
  return scratch;
}

void PacketLoop::set(const Place& place, Gp value) {
  if (place.reg) {
    a_.mov(Size::k64, *place.reg, value);
  } else {
    a_.store(8, slot(place), value);
  }
}

Mem PacketLoop::packet_field(std::int32_t offset) {
  return {.base = in_register(packets_, Gp::kR11), .disp = offset, .index = kCount, .scale = 4};
}

void PacketLoop::begin() {
  for (const Gp reg : saved_) {
    a_.push(reg);
  }
  if (frame_ != 0) {
    a_.arith(Arith::kSub, Size::k64, Gp::kRsp, frame_);
  }
  // begin, end, verdicts, common, ahead are in rdi, rsi, rdx, rcx, r8; all are read before any of
  // these becomes something else.
  a_.mov(Size::k64, kCount, Gp::kRdi);
  a_.arith(Arith::kSub, Size::k64, kCount, Gp::kRsi);
  a_.shift(x86::Shift::kSar, Size::k64, kCount, 2);
  a_.mov(Size::k64, Gp::kR11, Gp::kRdx);
  a_.arith(Arith::kSub, Size::k64, Gp::kR11, kCount);
  a_.lea(Gp::kR9, {.base = Gp::kRsi, .index = Gp::kR8});
  a_.mov(Size::k64, Gp::kR10, Gp::kRsi);
  a_.store(8, slot(common_), Gp::kRcx);
  set(packets_, Gp::kR10);
  set(verdicts_, Gp::kR11);
  set(ahead_, Gp::kR9);
  for (const KnownVerdict& known : known_verdicts_) {
    a_.mov_imm32(known.reg, known.value);
  }
  if ((form_.used >> 10 & 1U) != 0) {
    a_.lea(Gp::kRbp, {Gp::kRsp, locals_ + stack_bytes_});
  }
  next_ = a_.new_label();
  leave_ = a_.new_label();
  done_ = a_.new_label();
  a_.align(kLoopAlignment);
  a_.bind(next_);
  prefetch();
  a_.load(Extend::kNone64, kStart, packet_field(kData));
  for (unsigned reg = 0; reg < 10; ++reg) {
    if ((form_.zeroed >> reg & 1U) != 0) {
      a_.zero(gp(static_cast<Reg>(reg)));
    }
  }
  if (form_.stack_zeroed) {
    emit_zero_stack(a_, stack_bytes_);
  }
}

void PacketLoop::prefetch() {
  constexpr std::int32_t kNear = 8;
  const bool reads = form_.first_byte != form_.behind_bytes;
  if (!input_.options.prefetch || (!reads && !form_.reads_elsewhere)) {
    return;
  }
  const std::int32_t first = reads ? std::max(form_.first_byte, 0) : 0;
  const std::int32_t last = form_.reads_elsewhere
                                ? std::max(first + kCacheLine, form_.behind_bytes) - 1
                                : form_.behind_bytes - 1;
  a_.load(Extend::kNone64, Gp::kR10,
          {.base = in_register(ahead_, Gp::kR11), .disp = kData, .index = kCount, .scale = 4});
  a_.prefetch({Gp::kR10, first});
  if (last - first >= kNear) {
    a_.prefetch({Gp::kR10, last});
  }
}

void PacketLoop::end() {
  if (shared_end_) {
    a_.bind(leave_);
    a_.arith(Arith::kAdd, Size::k64, kCount, 4);
    a_.jcc(Condition::kNotEqual, next_);
  }
  a_.bind(done_);
  if (frame_ != 0) {
    a_.arith(Arith::kAdd, Size::k64, Gp::kRsp, frame_);
  }
  for (std::size_t i = saved_.size(); i-- > 0;) {
    a_.pop(saved_[i]);
  }
  a_.ret();
}

Mem PacketLoop::verdict_place() {
  return {.base = in_register(verdicts_, Gp::kR11), .index = kCount};
}

void PacketLoop::go_to_next_packet() {
  if (++ends_ > kCopiedEnds) {
    a_.jmp(leave_);
    shared_end_ = true;
    return;
  }
  a_.arith(Arith::kAdd, Size::k64, kCount, 4);
  a_.jcc(Condition::kNotEqual, next_);
  a_.jmp(done_);
}

void PacketLoop::end_with(std::uint32_t verdict) {
  a_.store_imm(4, verdict_place(), static_cast<std::int32_t>(verdict));
  go_to_next_packet();
}

void PacketLoop::end_with(Gp verdict) {
  a_.store(4, verdict_place(), verdict);
  go_to_next_packet();
}

}  // namespace weir::jit
