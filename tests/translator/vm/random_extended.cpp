#include "tests/translator/vm/random_extended.h"

#include "translator/ebpf/assembler.h"

namespace weir::vm {
namespace {

using namespace weir::ebpf;

constexpr Reg reg(std::uint32_t number) { return static_cast<Reg>(number); }

class Generator {
 public:
  Generator(random::Choices& choices, const RandomOptions& options)
      : choices_(choices), options_(options) {}

  Program run() {
    fill();
    for (std::uint32_t i = 0; i < options_.operations; ++i) {
      bind_labels(i);
      operation();
    }
    bind_labels(options_.operations + kFarthest);
    sum();
    return std::move(assembler_).finish();
  }

 private:
  static constexpr std::uint32_t kFarthest = 6;

  void alu(AluOp op, bool is64, Reg dst, Operand src) {
    assembler_.emit(Alu{.op = op, .is64 = is64, .dst = dst, .src = src});
  }

  std::uint64_t number64() {
    switch (choices_.below(4)) {
      case 0:
        return choices_.below(70);
      case 1:
        return ~std::uint64_t{choices_.below(70)};
      case 2:
        return std::uint64_t{1} << choices_.below(64);
      default:
        return std::uint64_t{choices_.any()} << 32 | choices_.any();
    }
  }
  std::int32_t number32() { return static_cast<std::int32_t>(number64()); }

  // r7, r8, r9 and the stack from the packet, the others from those and from constants.
  void fill() {
    alu(AluOp::kMov, true, Reg::kR6, Reg::kR1);
    for (std::int32_t i = 0; i < 3; ++i) {
      const Reg to = reg(static_cast<std::uint32_t>(7 + i));
      assembler_.emit(LoadPacket{.width = Width::kW, .imm = 8 * i});
      alu(AluOp::kMov, true, to, Reg::kR0);
      alu(AluOp::kLsh, true, to, 32);
      alu(AluOp::kMov, true, Reg::kR1, 8 * i);
      const Width width = choices_.pick({Width::kB, Width::kH, Width::kW});
      assembler_.emit(LoadPacket{.width = width, .indirect = true, .index = Reg::kR1, .imm = 4});
      alu(AluOp::kOr, true, to, Reg::kR0);
    }
    for (std::uint32_t i = 0; i < 7; ++i) {
      assembler_.emit(LoadImm64{.dst = reg(i), .value = number64()});
      if (choices_.chance(70)) {
        alu(choices_.pick({AluOp::kXor, AluOp::kAdd, AluOp::kMov}), true, reg(i),
            reg(7 + choices_.below(3)));
      }
    }
    for (std::uint32_t i = 0; i < 4; ++i) {
      assembler_.emit(Store{.dst = Reg::kR10,
                            .offset = static_cast<std::int16_t>(-8 - 8 * static_cast<int>(i)),
                            .src = reg(6 + i)});
    }
  }

  void operation() {
    switch (choices_.below(10)) {
      case 0:
        return endian();
      case 1:
        return memory();
      case 2:
        return choices_.chance(50) ? atomic() : memory();
      case 3:
      case 4:
        return options_.jumps ? jump() : arithmetic();
      default:
        return arithmetic();
    }
  }

  void arithmetic() {
    const bool is64 = choices_.chance(50);
    const bool with_register = choices_.chance(60);
    AluOp op = choices_.pick({AluOp::kAdd, AluOp::kSub, AluOp::kMul, AluOp::kDiv, AluOp::kOr,
                              AluOp::kAnd, AluOp::kLsh, AluOp::kRsh, AluOp::kNeg, AluOp::kMod,
                              AluOp::kXor, AluOp::kMov, AluOp::kArsh});
    if (options_.version4 && choices_.chance(30)) {
      op = with_register ? choices_.pick({AluOp::kSDiv, AluOp::kSMod, AluOp::kMovSx8,
                                          AluOp::kMovSx16, AluOp::kMovSx32})
                         : choices_.pick({AluOp::kSDiv, AluOp::kSMod});
    }
    const Reg dst = reg(choices_.below(10));
    if (with_register && op != AluOp::kNeg) {
      return alu(op, is64, dst, reg(choices_.below(10)));
    }
    std::int32_t imm = number32();
    if (op == AluOp::kLsh || op == AluOp::kRsh || op == AluOp::kArsh) {
      imm = static_cast<std::int32_t>(choices_.below(is64 ? 64 : 32));
    }
    const bool divides =
        op == AluOp::kDiv || op == AluOp::kMod || op == AluOp::kSDiv || op == AluOp::kSMod;
    alu(op, is64, dst, divides && imm == 0 ? 1 : imm);
  }

  void endian() {
    EndianOp op = choices_.pick({EndianOp::kToBig, EndianOp::kToLittle});
    if (options_.version4 && choices_.chance(40)) {
      op = EndianOp::kSwap;
    }
    assembler_.emit(Endian{.op = op,
                           .bits = choices_.pick<std::uint8_t>({16, 32, 64}),
                           .dst = reg(choices_.below(10))});
  }

  // An aligned place in the 32 bytes below r10.
  std::int16_t place(Width width) {
    const int bytes = static_cast<int>(width);
    const auto which = static_cast<int>(choices_.below(static_cast<std::uint32_t>(32 / bytes)));
    return static_cast<std::int16_t>(-32 + which * bytes);
  }

  void memory() {
    const Width width = choices_.pick({Width::kB, Width::kH, Width::kW, Width::kDw});
    const Reg one = reg(choices_.below(10));
    if (choices_.chance(50)) {
      const bool extend = options_.version4 && width != Width::kDw && choices_.chance(40);
      assembler_.emit(Load{.width = width,
                           .sign_extend = extend,
                           .dst = one,
                           .src = Reg::kR10,
                           .offset = place(width)});
    } else {
      const Operand src = choices_.chance(60) ? Operand(one) : Operand(number32());
      assembler_.emit(Store{.width = width, .dst = Reg::kR10, .offset = place(width), .src = src});
    }
  }

  void atomic() {
    AtomicOp op = choices_.pick({AtomicOp::kAdd, AtomicOp::kOr, AtomicOp::kAnd, AtomicOp::kXor});
    if (options_.fetches && choices_.chance(40)) {
      op = choices_.pick({AtomicOp::kExchange, AtomicOp::kCompareExchange});
    }
    const bool exchange = op == AtomicOp::kExchange || op == AtomicOp::kCompareExchange;
    const Width width = choices_.pick({Width::kW, Width::kDw});
    assembler_.emit(Atomic{.op = op,
                           .fetch = exchange || (options_.fetches && choices_.chance(50)),
                           .width = width,
                           .dst = Reg::kR10,
                           .offset = place(width),
                           .src = reg(choices_.below(10))});
  }

  // Forward over up to kFarthest operations.
  void jump() {
    const JumpOp op = choices_.pick({JumpOp::kEq, JumpOp::kGt, JumpOp::kGe, JumpOp::kSet,
                                     JumpOp::kNe, JumpOp::kSGt, JumpOp::kSGe, JumpOp::kLt,
                                     JumpOp::kLe, JumpOp::kSLt, JumpOp::kSLe});
    const Operand src =
        choices_.chance(60) ? Operand(reg(choices_.below(10))) : Operand(number32());
    const Label label = assembler_.new_label();
    pending_.push_back({label, done_ + 1 + choices_.below(kFarthest)});
    assembler_.jump_if(op, reg(choices_.below(10)), src, label, choices_.chance(50));
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

  // r0 = a sum of the registers and the stack in which each counts differently, both halves in the
  // low one, for machines that show 32 bits.
  void sum() {
    for (std::uint32_t i = 1; i < 10; ++i) {
      alu(AluOp::kMul, true, Reg::kR0, 31);
      alu(AluOp::kAdd, true, Reg::kR0, reg(i));
    }
    for (std::int16_t offset = -32; offset < 0; offset = static_cast<std::int16_t>(offset + 8)) {
      assembler_.emit(Load{.dst = Reg::kR1, .src = Reg::kR10, .offset = offset});
      alu(AluOp::kMul, true, Reg::kR0, 31);
      alu(AluOp::kAdd, true, Reg::kR0, Reg::kR1);
    }
    alu(AluOp::kMov, true, Reg::kR1, Reg::kR0);
    alu(AluOp::kRsh, true, Reg::kR1, 32);
    alu(AluOp::kXor, true, Reg::kR0, Reg::kR1);
    assembler_.emit(Exit{});
  }

  struct Pending {
    Label label;
    std::uint32_t operation = 0;  // Bound before this one.
  };

  random::Choices& choices_;
  const RandomOptions& options_;
  Assembler assembler_;
  std::vector<Pending> pending_;
  std::uint32_t done_ = 0;
};

}  // namespace

Program random_extended(random::Choices& choices, const RandomOptions& options) {
  return Generator(choices, options).run();
}

}  // namespace weir::vm
