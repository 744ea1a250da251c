#include "translator/jit/aarch64/packet_loop.h"

#include <algorithm>
#include <cstddef>

#include "translator/jit/aarch64/emit.h"
#include "translator/userspace/check.h"

namespace weir::jit::aarch64 {
namespace {

using ebpf::PacketOp;
using ebpf::PacketOpKind;
using ebpf::Reg;

constexpr std::int32_t kPacketBytes = sizeof(ebpf::UserPacket);
static_assert(offsetof(ebpf::UserPacket, data) == 0);

constexpr std::int32_t kCacheLine = 64;
constexpr std::size_t kLoopAlignment = 32;
// Ends that get a copy of the loop's own; more of them jump to one.
constexpr int kCopiedEnds = 8;
constexpr std::size_t kMostKnownVerdicts = 2;

bool uses(const ebpf::PacketProgram& form, Reg reg) {
  return (form.used >> static_cast<unsigned>(reg) & 1U) != 0;
}

}  // namespace

PacketLoop::PacketLoop(const CompileInput& input, const ebpf::PacketProgram& form)
    : input_(input),
      form_(form),
      ops_(form.ops),
      stack_bytes_(static_cast<std::int32_t>(ebpf::stack_bytes(input.program))),
      a_(ops_.size() * 4 + 64) {}

void PacketLoop::choose_registers(std::span<const std::uint32_t> wanted) {
  for (const Reg reg : {Reg::kR6, Reg::kR7, Reg::kR8, Reg::kR9, Reg::kR10}) {
    if (uses(form_, reg)) {
      saved_.push_back(gp(reg));
    }
  }
  if (form_.calls) {
    at_ = {.start = Gp::kX24,
           .next = Gp::kX25,
           .end = Gp::kX26,
           .verdict = Gp::kX27,
           .captured = Gp::kX28,
           .ahead = std::nullopt,
           .common = std::nullopt,
           .failed = std::nullopt};
    locals_ = 16;
    for (const Gp reg :
         {at_.start, at_.next, at_.end, at_.verdict, at_.captured, Gp::kX29, Gp::kX30}) {
      saved_.push_back(reg);
    }
  } else {
    // Of the program's own registers those it leaves alone; verdicts are taken first.
    std::vector<std::uint32_t> numbers;
    for (const PacketOp& op : ops_) {
      const bool is_new = std::find(numbers.begin(), numbers.end(), op.value) == numbers.end();
      if (op.kind == PacketOpKind::kVerdict && op.value != 0 && is_new &&
          numbers.size() < kMostKnownVerdicts) {
        numbers.push_back(op.value);
      }
    }
    numbers.insert(numbers.end(), wanted.begin(), wanted.end());
    std::size_t taken = 0;
    for (unsigned reg = 0; reg <= 5 && taken < numbers.size(); ++reg) {
      if (!uses(form_, static_cast<Reg>(reg))) {
        known_.push_back({.value = numbers[taken++], .reg = gp(static_cast<Reg>(reg))});
      }
    }
  }
  frame_ = (locals_ + stack_bytes_ + 15) / 16 * 16;
}

// Zero is in one by nature.
bool PacketLoop::is_in_register(std::uint32_t number) const {
  return number == 0 ||
         std::any_of(known_.begin(), known_.end(),
                     [number](const KnownNumber& known) { return known.value == number; });
}

bool PacketLoop::uses_captured() const {
  return std::any_of(ops_.begin(), ops_.end(), [](const PacketOp& op) {
    return op.kind == PacketOpKind::kFewer || op.kind == PacketOpKind::kEnough ||
           op.kind == PacketOpKind::kPast || op.kind == PacketOpKind::kEnd;
  });
}

Gp PacketLoop::common(Gp scratch) {
  if (at_.common) {
    return *at_.common;
  }
  a_.load(Extend::kNone64, scratch, {Gp::kSp, kCommonSlot});
  return scratch;
}

void PacketLoop::begin() {
  for (std::size_t i = 0; i < saved_.size(); i += 2) {
    if (i + 1 < saved_.size()) {
      a_.push_pair(saved_[i], saved_[i + 1]);
    } else {
      a_.push(saved_[i]);
    }
  }
  if (frame_ != 0) {
    a_.arith_imm(Arith::kSub, Size::k64, Gp::kSp, Gp::kSp, static_cast<std::uint32_t>(frame_));
  }
  // begin, end, verdicts, common, ahead are in x0 to x4, of which none is the loop's.
  a_.mov(Size::k64, at_.next, Gp::kX0);
  a_.mov(Size::k64, at_.end, Gp::kX1);
  a_.mov(Size::k64, at_.verdict, Gp::kX2);
  if (at_.common) {
    a_.mov(Size::k64, *at_.common, Gp::kX3);
  } else {
    a_.store(8, {Gp::kSp, kCommonSlot}, Gp::kX3);
  }
  if (at_.ahead) {
    a_.mov(Size::k64, *at_.ahead, Gp::kX4);
  } else {
    a_.store(8, {Gp::kSp, kAheadSlot}, Gp::kX4);
  }
  for (const KnownNumber& known : known_) {
    a_.mov_imm(known.reg, known.value);
  }
  if (uses(form_, Reg::kR10)) {
    a_.arith_imm(Arith::kAdd, Size::k64, gp(Reg::kR10), Gp::kSp,
                 static_cast<std::uint32_t>(locals_ + stack_bytes_));
  }
  next_ = a_.new_label();
  leave_ = a_.new_label();
  done_ = a_.new_label();
  a_.align(kLoopAlignment);
  a_.bind(next_);
  prefetch();
  a_.load_and_step(Extend::kNone64, at_.start, at_.next, kPacketBytes);
  if (uses_captured()) {
    a_.load(Extend::kZero32, at_.captured, packet_field(offsetof(ebpf::UserPacket, captured)));
  }
  for (unsigned reg = 0; reg < 10; ++reg) {
    if ((form_.zeroed >> reg & 1U) != 0) {
      a_.mov_imm(gp(static_cast<Reg>(reg)), 0);
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
  const auto fetch = [this](std::int32_t byte) {
    // Eight bytes are on the line of the first of them, nearly always.
    const std::int32_t at = fits_displacement(8, byte) ? byte : byte / 8 * 8;
    if (fits_displacement(8, at)) {
      a_.prefetch({kAddress, at});
    }
  };
  if (!at_.ahead) {
    a_.load(Extend::kNone64, kNumber, {Gp::kSp, kAheadSlot});
  }
  a_.load_indexed(Extend::kNone64, kAddress, at_.next, at_.ahead.value_or(kNumber));
  fetch(first);
  if (last - first >= kNear) {
    fetch(last);
  }
}

void PacketLoop::end() {
  if (shared_end_) {
    a_.bind(leave_);
    a_.cmp(Size::k64, at_.next, at_.end);
    a_.jump_if(Condition::kNotEqual, next_);
  }
  a_.bind(done_);
  if (frame_ != 0) {
    a_.arith_imm(Arith::kAdd, Size::k64, Gp::kSp, Gp::kSp, static_cast<std::uint32_t>(frame_));
  }
  const std::size_t pairs = saved_.size() / 2;
  if (saved_.size() % 2 != 0) {
    a_.pop(saved_.back());
  }
  for (std::size_t i = pairs; i-- > 0;) {
    a_.pop_pair(saved_[2 * i], saved_[2 * i + 1]);
  }
  a_.ret();
}

void PacketLoop::go_to_next_packet() {
  if (++ends_ > kCopiedEnds) {
    a_.jump(leave_);
    shared_end_ = true;
    return;
  }
  a_.cmp(Size::k64, at_.next, at_.end);
  a_.jump_if(Condition::kNotEqual, next_);
  a_.jump(done_);
}

Gp PacketLoop::in_register(std::uint32_t number, Gp scratch) {
  const auto known = std::find_if(known_.begin(), known_.end(),
                                  [number](const KnownNumber& one) { return one.value == number; });
  if (known != known_.end() || number == 0) {
    return number == 0 ? Gp::kZero : known->reg;
  }
  a_.mov_imm(scratch, number);
  return scratch;
}

Mem PacketLoop::packet_field(std::size_t offset) const {
  return {at_.next, static_cast<std::int32_t>(offset) - kPacketBytes};
}

void PacketLoop::end_with(std::uint32_t verdict) { end_with(in_register(verdict, kAddress)); }

void PacketLoop::end_with(Gp verdict) {
  a_.store_and_step(4, at_.verdict, 4, verdict);
  go_to_next_packet();
}

}  // namespace weir::jit::aarch64
