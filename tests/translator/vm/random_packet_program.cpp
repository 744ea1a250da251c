#include "tests/translator/vm/random_packet_program.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "translator/ebpf/assembler.h"
#include "translator/ebpf/user_context.h"

namespace weir::vm {
namespace {

using namespace weir::ebpf;

// r2 and r3 are the checked pointer and the packet's end, r6 a pointer that varies; the numbers are
// in the others. r9 is the context where calls take r1.
constexpr Reg kPointer = Reg::kR2;
constexpr Reg kEnd = Reg::kR3;
constexpr Reg kVaries = Reg::kR6;
constexpr std::uint32_t kDataBytes = 64;
constexpr std::uint32_t kFarthest = 5;

class Generator {
 public:
  Generator(random::Choices& choices, std::uint32_t operations)
      : choices_(choices), operations_(operations), fail_(assembler_.new_label()) {}

  Program run() {
    begin();
    for (std::uint32_t i = 0; i < operations_; ++i) {
      bind_labels(i);
      operation();
    }
    bind_labels(operations_ + kFarthest);
    sum();
    end();
    Program program = std::move(assembler_).finish();
    program.maps.resize(1);
    program.maps[0] = {.name = "data", .value_size = kDataBytes};
    for (std::uint32_t i = 0; i < kDataBytes; ++i) {
      program.maps[0].data.push_back(static_cast<std::uint8_t>(choices_.any()));
    }
    return program;
  }

 private:
  void alu(AluOp op, bool is64, Reg dst, Operand src) {
    assembler_.emit(Alu{.op = op, .is64 = is64, .dst = dst, .src = src});
  }
  void move(Reg dst, Operand src) { alu(AluOp::kMov, true, dst, src); }

  Reg number_register() {
    return choices_.pick({Reg::kR0, Reg::kR4, Reg::kR5, Reg::kR7, Reg::kR8});
  }
  std::int32_t number() {
    switch (choices_.below(4)) {
      case 0:
        return static_cast<std::int32_t>(choices_.below(300));
      case 1:
        return -1 - static_cast<std::int32_t>(choices_.below(300));
      case 2:
        return static_cast<std::int32_t>(choices_.pick<std::uint32_t>(
            {0, 1, 0xff, 0xffff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 0xff00}));
      default:
        return static_cast<std::int32_t>(choices_.any());
    }
  }
  Width width() { return choices_.pick({Width::kB, Width::kH, Width::kW, Width::kDw}); }

  void begin() {
    if (choices_.chance(30)) {
      move(Reg::kR9, Reg::kR1);
      move(Reg::kR1, number());
      context_ = Reg::kR9;
    }
    assembler_.emit(Load{.dst = kPointer, .src = context_, .offset = offsetof(UserContext, data)});
    assembler_.emit(Load{.dst = kEnd, .src = context_, .offset = offsetof(UserContext, data_end)});
    check();
  }

  // The pointer moves to where some bytes more are known to be before it.
  void check() {
    const auto step = static_cast<std::int32_t>(1 + choices_.below(12));
    alu(AluOp::kAdd, true, kPointer, step);
    // At least, or one more than that.
    const bool fewer_jumps = choices_.chance(70);
    const bool end_left = choices_.chance(30);
    const bool equal = choices_.chance(20);
    const Reg left = end_left ? kEnd : kPointer;
    const Reg right = end_left ? kPointer : kEnd;
    if (fewer_jumps) {
      const JumpOp op =
          end_left ? (equal ? JumpOp::kLe : JumpOp::kLt) : (equal ? JumpOp::kGe : JumpOp::kGt);
      jump_to_failure(op, left, right);
    } else {
      const JumpOp op =
          end_left ? (equal ? JumpOp::kGt : JumpOp::kGe) : (equal ? JumpOp::kLt : JumpOp::kLe);
      const Label enough = assembler_.new_label();
      assembler_.jump_if(op, left, right, enough, true);
      leave();
      assembler_.bind(enough);
    }
    checked_ += step;
  }
  void jump_to_failure(JumpOp op, Reg left, Reg right) {
    assembler_.jump_if(op, left, right, fail_, true);
  }

  // An exit: with what is in r0, or with a constant.
  void leave() {
    if (choices_.chance(70)) {
      alu(AluOp::kMov, choices_.chance(50), Reg::kR0, number());
    }
    assembler_.emit(Exit{});
  }

  void operation() {
    switch (choices_.below(16)) {
      case 0:
        return pending_.empty() ? check() : packet_load();
      case 1:
        return varying_load();
      case 2:
        return stack();
      case 3:
        return data();
      case 4:
        return field();
      case 5:
        return call();
      case 6:
      case 7:
        return jump();
      case 8:
        return way_out();
      case 9:
        return arithmetic();
      case 10:
      case 11:
      case 12:
        return test();
      default:
        return packet_load();
    }
  }

  void load_from(Reg base, std::int32_t behind, Reg dst) {
    Width size = width();
    while (static_cast<std::int32_t>(size) > behind) {
      size = static_cast<Width>(static_cast<int>(size) / 2);
    }
    const auto room = static_cast<std::uint32_t>(behind - static_cast<std::int32_t>(size) + 1);
    const std::int32_t offset =
        -static_cast<std::int32_t>(size) - static_cast<std::int32_t>(choices_.below(room));
    assembler_.emit(Load{.width = size,
                         .sign_extend = size != Width::kDw && choices_.chance(10),
                         .dst = dst,
                         .src = base,
                         .offset = static_cast<std::int16_t>(offset)});
    if (choices_.chance(25)) {
      assembler_.emit(Endian{.op = choices_.pick({EndianOp::kSwap, EndianOp::kToBig}),
                             .bits = choices_.pick<std::uint8_t>({16, 32, 64}),
                             .dst = dst});
    }
  }

  void packet_load() { load_from(kPointer, checked_, number_register()); }

  // What filters do most: load, mask, compare.
  void test() {
    const Reg reg = number_register();
    load_from(kPointer, checked_, reg);
    if (choices_.chance(40)) {
      alu(AluOp::kAnd, choices_.chance(30), reg, number());
    }
    compare(reg, choices_.chance(80) ? Operand(number()) : Operand(number_register()));
  }

  void compare(Reg left, Operand right) {
    const JumpOp op = choices_.pick({JumpOp::kEq, JumpOp::kGt, JumpOp::kGe, JumpOp::kSet,
                                     JumpOp::kNe, JumpOp::kSGt, JumpOp::kSGe, JumpOp::kLt,
                                     JumpOp::kLe, JumpOp::kSLt, JumpOp::kSLe});
    const Label label = choices_.chance(20) ? fail_ : assembler_.new_label();
    if (label.id != fail_.id) {
      pending_.push_back({label, done_ + 1 + choices_.below(kFarthest)});
    }
    assembler_.jump_if(op, left, right, label, choices_.chance(40));
  }
  void jump() {
    compare(number_register(),
            choices_.chance(50) ? Operand(number()) : Operand(number_register()));
  }

  // Over an exit.
  void way_out() {
    const Label over = assembler_.new_label();
    assembler_.jump_if(choices_.pick({JumpOp::kNe, JumpOp::kGt, JumpOp::kSet}), number_register(),
                       number(), over, choices_.chance(50));
    leave();
    assembler_.bind(over);
  }

  // A pointer by a length out of the packet, checked and read from.
  void varying_load() {
    const Reg length = number_register();
    assembler_.emit(Load{
        .width = Width::kB,
        .dst = length,
        .src = kPointer,
        .offset = static_cast<std::int16_t>(
            -1 - static_cast<std::int32_t>(choices_.below(static_cast<std::uint32_t>(checked_))))});
    alu(AluOp::kAnd, false, length, choices_.pick<std::int32_t>({15, 7, 3, 0xf0}));
    if (choices_.chance(70)) {
      alu(AluOp::kLsh, false, length, static_cast<std::int32_t>(choices_.below(5)));
    }
    const auto behind = static_cast<std::int32_t>(1 + choices_.below(8));
    move(kVaries, kPointer);
    if (choices_.chance(70)) {
      alu(AluOp::kAdd, true, kVaries, length);
      alu(AluOp::kAdd, true, kVaries, behind);
    } else {
      alu(AluOp::kAdd, true, kVaries, behind);
      alu(AluOp::kAdd, true, kVaries, length);
    }
    jump_to_failure(JumpOp::kGt, kVaries, kEnd);
    load_from(kVaries, behind, number_register());
  }

  void stack() {
    const auto place = static_cast<std::int16_t>(-8 * (1 + static_cast<int>(choices_.below(3))));
    const Width size = width();
    if (choices_.chance(50)) {
      assembler_.emit(
          Load{.width = size, .dst = number_register(), .src = Reg::kR10, .offset = place});
      return;
    }
    const Operand src = choices_.chance(60) ? Operand(number_register()) : Operand(number());
    assembler_.emit(Store{.width = size, .dst = Reg::kR10, .offset = place, .src = src});
    if (choices_.chance(20)) {
      assembler_.emit(Atomic{.op = choices_.pick({AtomicOp::kAdd, AtomicOp::kXor}),
                             .fetch = choices_.chance(50),
                             .width = choices_.pick({Width::kW, Width::kDw}),
                             .dst = Reg::kR10,
                             .offset = place,
                             .src = number_register()});
    }
  }

  // A look-up in the data by a masked number.
  void data() {
    const Reg index = number_register();
    const Width size = width();
    alu(AluOp::kAnd, false, index, static_cast<std::int32_t>(7));
    alu(AluOp::kLsh, true, index, static_cast<std::int32_t>(choices_.below(4)));
    assembler_.emit(LoadImm64{.kind = Imm64Kind::kMapValueIndex, .dst = kVaries});
    alu(AluOp::kAdd, true, kVaries, index);
    assembler_.emit(Load{.width = size, .dst = number_register(), .src = kVaries});
  }

  void field() {
    const auto offset = choices_.chance(50) ? offsetof(UserContext, length)
                                            : offsetof(UserContext, ancillary) +
                                                  std::size_t{4} * choices_.below(16);
    assembler_.emit(Load{.width = Width::kW,
                         .dst = number_register(),
                         .src = context_,
                         .offset = static_cast<std::int16_t>(offset)});
  }

  void call() {
    if (context_ == Reg::kR1) {
      return arithmetic();
    }
    move(Reg::kR1, number_register());
    assembler_.emit(Call{.imm = 5});
  }

  void arithmetic() {
    const bool with_register = choices_.chance(50);
    const AluOp op = choices_.pick({AluOp::kAdd, AluOp::kSub, AluOp::kMul, AluOp::kDiv, AluOp::kOr,
                                    AluOp::kAnd, AluOp::kLsh, AluOp::kRsh, AluOp::kNeg, AluOp::kMod,
                                    AluOp::kXor, AluOp::kMov, AluOp::kArsh});
    const Operand src =
        with_register && op != AluOp::kNeg ? Operand(number_register()) : Operand(number());
    alu(op, choices_.chance(50), number_register(), src);
  }

  void bind_labels(std::uint32_t operation) {
    done_ = operation;
    std::erase_if(pending_, [&](const Pending& one) {
      if (one.operation > operation) {
        return false;
      }
      assembler_.bind(one.label);
      return true;
    });
  }

  void sum() {
    for (const Reg reg : {Reg::kR4, Reg::kR5, Reg::kR7, Reg::kR8}) {
      alu(AluOp::kMul, true, Reg::kR0, 31);
      alu(AluOp::kAdd, true, Reg::kR0, reg);
    }
    move(Reg::kR4, Reg::kR0);
    alu(AluOp::kRsh, true, Reg::kR4, 32);
    alu(AluOp::kXor, true, Reg::kR0, Reg::kR4);
    assembler_.emit(Exit{});
  }

  void end() {
    assembler_.bind(fail_);
    leave();
  }

  struct Pending {
    Label label;
    std::uint32_t operation = 0;  // Bound before this one.
  };

  random::Choices& choices_;
  std::uint32_t operations_;
  Assembler assembler_;
  Label fail_;
  Reg context_ = Reg::kR1;
  std::int32_t checked_ = 0;  // Bytes before kPointer that are there.
  std::vector<Pending> pending_;
  std::uint32_t done_ = 0;
};

}  // namespace

Program random_packet_program(random::Choices& choices, std::uint32_t operations) {
  return Generator(choices, operations).run();
}

}  // namespace weir::vm
