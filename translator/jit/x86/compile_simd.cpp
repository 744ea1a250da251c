// The code of a lane form: a loop over groups of eight packets, with AVX2.
//
// The packets stand in the lanes in the order 0 2 4 6 | 1 3 5 7, which is how the unpacking
// instructions put together what is read of two and two. Where values live is simd_registers.h's;
// ymm12 to ymm15 are free in each operation.
//
// The fields at constant offsets are read in windows of sixteen bytes, from packets that may have
// been captured shorter: then the bytes must be on the page of the first, else the group is left to
// other code. What a packet does not have is behind a check of its length for every lane.
#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "translator/jit/compile.h"
#include "translator/jit/runtime.h"
#include "translator/jit/simd/simd_program.h"
#include "translator/jit/x86/assembler.h"
#include "translator/jit/x86/simd_registers.h"

namespace weir::jit {
namespace {

using x86::Bits;
using x86::Condition;
using x86::Extend;
using x86::Gp;
using x86::Label;
using x86::Mem;
using x86::Size;
using x86::Vector;
using x86::VectorImm;
using x86::VectorShift;
using x86::Ymm;

constexpr Gp kPackets = Gp::kRdi;
constexpr Gp kEnd = Gp::kRsi;
constexpr Gp kVerdicts = Gp::kRdx;
constexpr Gp kCommon = Gp::kRcx;
constexpr Gp kConstants = Gp::kR8;
constexpr Gp kAhead = Gp::kR9;
// Where the packets of a group start.
constexpr std::array kStarts = {Gp::kRax, Gp::kRbx, Gp::kRbp, Gp::kR10,
                                Gp::kR11, Gp::kR12, Gp::kR13, Gp::kR14};
constexpr Gp kScratch = Gp::kR15;
constexpr std::array kSaved = {Gp::kRbx, Gp::kRbp, Gp::kR12, Gp::kR13, Gp::kR14, Gp::kR15};

constexpr Ymm kA = Ymm::k12;
constexpr Ymm kB = Ymm::k13;
constexpr Ymm kC = Ymm::k14;
constexpr Ymm kD = Ymm::k15;

constexpr std::int32_t kPacketBytes = sizeof(ebpf::UserPacket);
constexpr std::int32_t kVectorBytes = x86::SimdRegisters::kVectorBytes;
constexpr std::int32_t kPageBytes = 4096;
constexpr std::int32_t kCaptured = offsetof(ebpf::UserPacket, captured);
constexpr std::array<std::uint32_t, kLanes> kInOrder = {0, 4, 1, 5, 2, 6, 3, 7};

class LaneCompiler {
 public:
  LaneCompiler(const SimdProgram& form, const ebpf::PacketProgram& packets)
      : form_(form),
        packets_(packets),
        a_(form.values.size() * 24 + 512),
        homes_(form, a_, kConstants) {}

  // Nothing when the frame is too small for it.
  std::optional<SimdCode> run() {
    for (const Gp reg : kSaved) {
      a_.push(reg);
    }
    a_.arith(x86::Arith::kSub, Size::k64, Gp::kRsp, kFrameBytes);
    a_.align(kLoopAlignment);
    const Label next = a_.new_label();
    a_.bind(next);
    prefetch();
    find_packets();
    for (SimdId id = 0; id < form_.values.size(); ++id) {
      if (homes_.begin(id)) {
        make(id);
      }
    }
    store_verdicts();
    a_.arith(x86::Arith::kAdd, Size::k64, kVerdicts, kVectorBytes);
    a_.arith(x86::Arith::kAdd, Size::k64, kPackets, kGroupBytes);
    a_.arith(x86::Arith::kCmp, Size::k64, kPackets, kEnd);
    a_.jcc(Condition::kBelow, next);
    leave();
    if (homes_.slots() > x86::SimdRegisters::kMostSlots) {
      return std::nullopt;
    }
    return SimdCode{.bytes = a_.finish(), .constants = homes_.take_constants()};
  }

 private:
  static constexpr std::int32_t kFrameBytes =
      x86::SimdRegisters::kMostSlots * kVectorBytes + 8;  // Aligned to 16.
  static constexpr std::int32_t kGroupBytes = kLanes * kPacketBytes;
  static constexpr std::size_t kLoopAlignment = 32;

  const SimdValue& value(SimdId id) const { return form_.values[id]; }

  // ---- The loop ----

  Mem packet(std::size_t lane, std::int32_t field = 0) const {
    return {.base = kPackets, .disp = static_cast<std::int32_t>(lane) * kPacketBytes + field};
  }

  void prefetch() {
    const Label no_prefetch = a_.new_label();
    a_.test(Size::k64, kAhead, kAhead);
    a_.jcc(Condition::kEqual, no_prefetch);
    const std::int32_t first = std::max(packets_.first_byte, 0);
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      Mem later = packet(lane);
      later.index = kAhead;
      a_.load(Extend::kNone64, kScratch, later);
      a_.prefetch({kScratch, first});
    }
    a_.bind(no_prefetch);
  }

  // Where the packets start, once what is read of them is known to be there.
  void find_packets() {
    if (form_.windows.empty()) {
      return;
    }
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      a_.load(Extend::kNone64, kStarts[lane], packet(lane));
    }
    Ymm captured = kA;
    const auto found =
        std::find_if(form_.values.begin(), form_.values.end(),
                     [](const SimdValue& one) { return one.op == SimdOp::kCaptured; });
    const auto id = static_cast<SimdId>(found - form_.values.begin());
    if (found != form_.values.end() && form_.needed[id]) {
      captured = homes_.take(id);
    }
    load_captured(captured);
    a_.vector(Vector::kGreaterDwords, kA, captured,
              homes_.constant(static_cast<std::uint32_t>(form_.reach - 1)));
    a_.vector_signs(kScratch, kA);
    a_.arith(x86::Arith::kCmp, Size::k32, kScratch, (1 << kLanes) - 1);
    some_short_ = a_.new_label();
    readable_ = a_.new_label();
    a_.jcc(Condition::kNotEqual, some_short_);
    a_.bind(readable_);
  }

  // Goes on where each packet has all that is read of it, or has some of it and the rest is on the
  // same page.
  void look_at_short_packets(Label give_up) {
    a_.bind(some_short_);
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const Label fine = a_.new_label();
      a_.cmp_mem_imm(4, packet(lane, kCaptured), static_cast<std::uint32_t>(form_.reach));
      a_.jcc(Condition::kAboveOrEqual, fine);
      a_.cmp_mem_imm(4, packet(lane, kCaptured), 0);
      a_.jcc(Condition::kEqual, give_up);
      a_.mov(Size::k32, kScratch, kStarts[lane]);
      a_.arith(x86::Arith::kAnd, Size::k32, kScratch, kPageBytes - 1);
      a_.arith(x86::Arith::kCmp, Size::k32, kScratch, kPageBytes - form_.reach);
      a_.jcc(Condition::kAbove, give_up);
      a_.bind(fine);
    }
    a_.jmp(readable_);
  }

  void store_verdicts() {
    const Ymm verdict = homes_.in(form_.verdict, kA);
    a_.vector_load(Bits::k256, kB, homes_.constant(SimdConstant{kInOrder}));
    a_.vector(Vector::kPermuteDwords, kB, kB, verdict);
    a_.vector_store(kB, {.base = kVerdicts});
  }

  void leave() {
    const Label done = a_.new_label();
    a_.bind(done);
    a_.mov(Size::k64, Gp::kRax, kPackets);
    a_.vector_done();
    a_.arith(x86::Arith::kAdd, Size::k64, Gp::kRsp, kFrameBytes);
    for (std::size_t i = kSaved.size(); i-- > 0;) {
      a_.pop(kSaved[i]);
    }
    a_.ret();
    if (!form_.windows.empty()) {
      look_at_short_packets(done);
    }
  }

  // ---- Operations ----

  void make(SimdId id) {
    const SimdValue& one = value(id);
    switch (one.op) {
      case SimdOp::kConst:
        return;
      case SimdOp::kCaptured:
        return load_captured(homes_.take(id));
      case SimdOp::kLength:
        return load_ends(homes_.take(id), kLengths);
      case SimdOp::kShared:
        return a_.vector_broadcast(homes_.take(id),
                                   {.base = kCommon, .disp = static_cast<std::int32_t>(one.imm)});
      case SimdOp::kField:
        return load_window(form_.place_of(one).window);
      case SimdOp::kGather:
        return gather(id);
      case SimdOp::kPart:
        return;  // It has its holder's register.
      case SimdOp::kPick:
        return pick(id);
      case SimdOp::kIs:
        return compare_field(id);
      case SimdOp::kAnd:
        return make_two(id, Vector::kAnd);
      case SimdOp::kAndNot:
        return make_two(id, Vector::kAndNot);
      case SimdOp::kOr:
        return make_two(id, Vector::kOr);
      case SimdOp::kXor:
        return make_two(id, Vector::kXor);
      case SimdOp::kAdd:
        return make_two(id, Vector::kAddDwords);
      case SimdOp::kSub:
        return make_two(id, Vector::kSubDwords);
      case SimdOp::kMul:
        return make_two(id, Vector::kMulDwords);
      case SimdOp::kMin:
        return make_two(id, Vector::kMinDwords);
      case SimdOp::kMax:
        return make_two(id, Vector::kMaxDwords);
      case SimdOp::kEqual:
        return make_two(id, Vector::kEqualDwords);
      case SimdOp::kGreater:
        return make_two(id, Vector::kGreaterDwords);
      case SimdOp::kShl:
        return make_shift(id, VectorShift::kShl);
      case SimdOp::kShr:
        return make_shift(id, VectorShift::kShr);
      case SimdOp::kSar:
        return make_shift(id, VectorShift::kSar);
      case SimdOp::kSwap: {
        const Ymm from = homes_.in(one.a, kA);
        a_.vector(Vector::kShuffleBytes, homes_.result(id), from,
                  bytes_of_dword(0, one.width, true));
        return;
      }
      case SimdOp::kChoose: {
        const Ymm mask = homes_.in(one.a, kA);
        const Ymm yes = homes_.in(one.b, kB);
        const Ymm no = homes_.in(one.c, kC);
        a_.vector_choose(homes_.result(id), no, yes, mask);
        return;
      }
    }
  }

  void make_two(SimdId id, Vector op) {
    SimdId first = value(id).a;
    SimdId second = value(id).b;
    // Constants are better in memory, where an operand may be that may also come first.
    const bool commutes =
        op != Vector::kAndNot && op != Vector::kSubDwords && op != Vector::kGreaterDwords;
    if (commutes && !homes_.register_of(first)) {
      std::swap(first, second);
    }
    const Ymm a = homes_.in(first, kA);
    const std::optional<Ymm> in_register = homes_.register_of(second);
    const Ymm dst = homes_.result(id);
    if (in_register) {
      a_.vector(op, dst, a, *in_register);
    } else {
      a_.vector(op, dst, a, homes_.memory(second));
    }
  }

  void make_shift(SimdId id, VectorShift op) {
    const Ymm from = homes_.in(value(id).a, kA);
    a_.vector_shift(op, homes_.result(id), from, static_cast<std::uint8_t>(value(id).imm));
  }

  // Which halves of the eight bytes behind the address in a packet's entry.
  static constexpr std::uint8_t kCapturedBytes = 0x88;
  static constexpr std::uint8_t kLengths = 0xdd;

  void load_ends(Ymm dst, std::uint8_t which) {
    a_.vector_load(Bits::k256, kA, packet(0));
    a_.vector(Vector::kUnpackHighQwords, kA, kA, packet(2));
    a_.vector_load(Bits::k256, kB, packet(4));
    a_.vector(Vector::kUnpackHighQwords, kB, kB, packet(6));
    a_.vector(VectorImm::kShuffleDwords, dst, kA, kB, which);
  }

  void load_captured(Ymm dst) {
    load_ends(dst, kCapturedBytes);
    a_.vector(Vector::kMinDwords, dst, dst, homes_.constant(0x7fffffff));
  }

  // Sixteen bytes of each packet, turned so that each dword of them has a register.
  void load_window(std::size_t index) {
    const SimdLoad& window = form_.windows[index];
    constexpr std::array kPairs = {kA, kB, kC, kD};
    for (std::size_t pair = 0; pair < kPairs.size(); ++pair) {
      a_.vector_load(Bits::k128, kPairs[pair], {kStarts[2 * pair], window.start});
      a_.vector(VectorImm::kInsertHalf, kPairs[pair], kPairs[pair],
                {kStarts[2 * pair + 1], window.start}, 1);
    }
    const std::array<std::optional<Ymm>, 4> to = homes_.take_window(index);
    const bool low = to[0] || to[1];
    const bool high = to[2] || to[3];
    if (low && high) {
      const Ymm first = to[0] ? *to[0] : *to[1];
      a_.vector(Vector::kUnpackLowDwords, first, kA, kB);
      a_.vector(Vector::kUnpackHighDwords, kA, kA, kB);
      a_.vector(Vector::kUnpackLowDwords, kB, kC, kD);
      a_.vector(Vector::kUnpackHighDwords, kC, kC, kD);
      unpack(first, kB, to[1], to[0]);
      unpack(kA, kC, to[3], to[2]);
      return;
    }
    const Vector half = low ? Vector::kUnpackLowDwords : Vector::kUnpackHighDwords;
    a_.vector(half, kA, kA, kB);
    a_.vector(half, kC, kC, kD);
    unpack(kA, kC, to[low ? 1 : 3], to[low ? 0 : 2]);
  }

  // `a` may be one of the results, the even one if there are two.
  void unpack(Ymm a, Ymm b, std::optional<Ymm> odd, std::optional<Ymm> even) {
    if (odd) {
      a_.vector(Vector::kUnpackHighQwords, *odd, a, b);
    }
    if (even) {
      a_.vector(Vector::kUnpackLowQwords, *even, a, b);
    }
  }

  // Four lanes and four; addresses have 64 bits.
  void gather(SimdId id) {
    const SimdValue& one = value(id);
    const auto disp = static_cast<std::int32_t>(one.imm) + one.width - 4;
    const Ymm dst = homes_.take(id);
    const Label nobody = a_.new_label();
    if (one.rare) {
      a_.vector_signs(kScratch, homes_.in(one.b, kD));
      a_.test(Size::k32, kScratch, kScratch);
      a_.jcc(Condition::kEqual, nobody);
    }
    const Ymm from = homes_.in(one.a, kD);
    a_.vector_load(Bits::k256, kA, packet(0));
    a_.vector(Vector::kUnpackLowQwords, kA, kA, packet(2));
    a_.vector_load(Bits::k256, kB, packet(4));
    a_.vector(Vector::kUnpackLowQwords, kB, kB, packet(6));
    a_.vector(VectorImm::kPermuteHalves, kC, kA, kB, 0x20);
    a_.vector(VectorImm::kPermuteHalves, kA, kA, kB, 0x31);
    a_.vector_extend(kB, from);
    a_.vector(Vector::kAddQwords, kB, kB, kC);
    load_half(kC, one.b, false);
    a_.vector(Vector::kXor, dst, dst, dst);
    a_.vector_gather(dst, kB, disp, kC);
    a_.vector_upper(kB, from);
    a_.vector_extend(kB, kB);
    a_.vector(Vector::kAddQwords, kB, kB, kA);
    load_half(kC, one.b, true);
    a_.vector(Vector::kXor, kA, kA, kA);
    a_.vector_gather(kA, kB, disp, kC);
    a_.vector(VectorImm::kInsertHalf, dst, dst, kA, 1);
    a_.bind(nobody);
    homes_.finish_operands(id);
  }

  void load_half(Ymm dst, SimdId operand, bool upper) {
    const std::optional<Ymm> in_register = homes_.register_of(operand);
    if (!in_register) {
      Mem from = homes_.memory(operand);
      from.disp += upper ? kVectorBytes / 2 : 0;
      a_.vector_load(Bits::k128, dst, from);
    } else if (upper) {
      a_.vector_upper(dst, *in_register);
    } else {
      a_.vector_mov(Bits::k128, dst, *in_register);
    }
  }

  // Where in its dword a field begins.
  std::int32_t byte_in_dword(SimdId field) const {
    const SimdValue& one = value(field);
    if (one.op == SimdOp::kPart) {
      return static_cast<std::int32_t>(one.imm);
    }
    return one.op == SimdOp::kGather ? 4 - one.width : form_.place_of(one).offset % 4;
  }

  // What vpshufb needs to know to move bytes of each dword down, and to make the others 0.
  Mem bytes_of_dword(std::int32_t first, std::int32_t width, bool is_swapped) {
    SimdConstant lanes;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      std::uint32_t control = 0x80808080;
      for (std::int32_t n = 0; n < width; ++n) {
        const auto from = static_cast<std::uint32_t>(static_cast<std::int32_t>(lane % 4 * 4) +
                                                     first + (is_swapped ? width - 1 - n : n));
        control = (control & ~(0xffU << 8 * n)) | from << 8 * n;
      }
      lanes.dwords[lane] = control;
    }
    return homes_.constant(lanes);
  }

  void pick(SimdId id) {
    const SimdId field = value(id).a;
    const Ymm from = homes_.in(field, kA);
    const Mem bytes = bytes_of_dword(byte_in_dword(field), value(field).width, value(id).swapped);
    a_.vector(Vector::kShuffleBytes, homes_.result(id), from, bytes);
  }

  void compare_field(SimdId id) {
    const SimdValue& one = value(id);
    const auto shift = static_cast<unsigned>(8 * byte_in_dword(one.a));
    const std::uint32_t mask = one.mask << shift;
    Ymm bytes = homes_.in(one.a, kA);
    const Ymm dst = homes_.result(id);
    if (mask != 0xffffffff) {
      a_.vector(Vector::kAnd, dst, bytes, homes_.constant(mask));
      bytes = dst;
    }
    a_.vector(Vector::kEqualDwords, dst, bytes, homes_.constant(one.imm << shift));
  }

  const SimdProgram& form_;
  const ebpf::PacketProgram& packets_;
  x86::Assembler a_;
  x86::SimdRegisters homes_;
  Label some_short_;
  Label readable_;
};

}  // namespace

std::optional<SimdCode> compile_simd(const SimdProgram& form, const ebpf::PacketProgram& packets) {
  return LaneCompiler(form, packets).run();
}

}  // namespace weir::jit
