// The operations of a packet form: a program whose accesses are all proven, so without checks and
// without a context in memory. The loop around them is packet_loop.h's.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <optional>

#include "translator/jit/compile.h"
#include "translator/jit/if_conversion.h"
#include "translator/jit/runtime.h"
#include "translator/jit/x86/emit.h"
#include "translator/jit/x86/packet_loop.h"
#include "translator/userspace/packet_program.h"

namespace weir::jit {
namespace {

using ebpf::PacketOp;
using ebpf::PacketOpKind;
using ebpf::Reg;
using x86::Arith;
using x86::Condition;
using x86::Extend;
using x86::Gp;
using x86::Label;
using x86::Mem;
using x86::Size;

constexpr std::int32_t kCaptured = offsetof(ebpf::UserPacket, captured);
constexpr std::int32_t kLength = offsetof(ebpf::UserPacket, length);

// More questions than these are not asked all at once.
constexpr std::size_t kMostQuestions = 6;
// More lines than these make the code long for nothing.
constexpr int kMostLines = 8;

class PacketCompiler : private PacketLoop {
 public:
  PacketCompiler(const CompileInput& input, const ebpf::PacketProgram& form)
      : PacketLoop(input, form) {}

  CompiledCode run() {
    choose_registers();
    begin();
    label_of_.assign(ops_.size(), kNoLabel);
    for (index_ = 0; index_ < ops_.size(); ++index_) {
      if (ops_[index_].is_target) {
        a_.bind(label(static_cast<std::uint32_t>(index_)));
      }
      taken_along_ = 0;
      if (!emit_straight_line() && !emit_choice() && !emit_any_of()) {
        emit(ops_[index_]);
      }
      index_ += taken_along_;
    }
    emit_cold();
    end();
    return {.bytes = a_.finish(),
            .batch = true,
            .frame_bytes = static_cast<std::uint32_t>(stack_bytes_)};
  }

 private:
  static constexpr std::uint32_t kNoLabel = 0xffffffff;

  Label label(std::uint32_t op) {
    if (label_of_[op] == kNoLabel) {
      label_of_[op] = a_.new_label().id;
    }
    return {label_of_[op]};
  }

  // ---- Operations ----

  void emit(const PacketOp& op) {
    switch (op.kind) {
      case PacketOpKind::kPlain:
        return emit_plain(op);
      case PacketOpKind::kPoint:
        return emit_point(op);
      case PacketOpKind::kHeader:
        return emit_header(op);
      case PacketOpKind::kEnd:
        return load_end(gp(op.dst));
      case PacketOpKind::kField:
        return load_field(op);
      case PacketOpKind::kLoad:
        return emit_load(op);
      case PacketOpKind::kTest:
        return jump_if(emit_test(op), op);
      case PacketOpKind::kCompare:
        return jump_if(emit_compare(a_, instruction<ebpf::Jump>(op)), op);
      case PacketOpKind::kFewer:
        a_.cmp_mem_imm(4, packet_field(kCaptured), op.value);
        return jump_if(Condition::kBelow, op);
      case PacketOpKind::kEnough:
        a_.cmp_mem_imm(4, packet_field(kCaptured), op.value);
        return jump_if(Condition::kAboveOrEqual, op);
      case PacketOpKind::kPast:
        load_end(Gp::kR10);
        a_.arith(Arith::kCmp, Size::k64, gp(*op.base), Gp::kR10);
        return jump_if(condition_of(op.op), op);
      case PacketOpKind::kGo:
        return a_.jmp(label(op.target));
      case PacketOpKind::kVerdict:
        return end_with(op.value);
      case PacketOpKind::kReturn:
        return end_with(gp(Reg::kR0));
    }
  }

  template <typename T>
  const T& instruction(const PacketOp& op) const {
    return std::get<T>(input_.program.instructions[op.index]);
  }

  void jump_if(Condition condition, const PacketOp& op) { a_.jcc(condition, label(op.target)); }

  // ---- Several tests at once ----
  //
  // As in if_conversion.h. Tests that stand together are cheap to make all, and safe: what they
  // read was checked before the first.

  // The stretch from here in one line. Where it may have to be run in order, that code follows, and
  // so it does where others jump into it.
  bool emit_straight_line() {
    const bool within_line = index_ < in_order_until_ && !ops_[index_].is_target;
    if (in_order_ || within_line || !failed_ || lines_ == kMostLines) {
      return false;
    }
    const auto line =
        straight_line(form_, input_.program.instructions, static_cast<std::uint32_t>(index_));
    if (!line) {
      return false;
    }
    ++lines_;
    const Label in_order = a_.new_label();
    if (line->least_captured != 0) {
      a_.cmp_mem_imm(4, packet_field(kCaptured), line->least_captured);
      a_.jcc(Condition::kBelow, in_order);
    }
    run_steps(*line, in_order);
    a_.mov_imm32(Gp::kR10, ops_[line->otherwise].value);
    for (std::size_t i = line->choice.size(); i-- > 0;) {
      const PacketOp& question = ops_[line->choice[i]];
      choose(ask(question), question.target);
    }
    a_.test(Size::k32, *failed_, *failed_);
    choose(Condition::kNotEqual, line->failure);
    end_with(Gp::kR10);
    a_.bind(in_order);
    in_order_until_ = line->end;
    // Without checks nobody goes in order but who jumps into it.
    if (!line->has_checks) {
      skip_to_target(line->end);
    } else {
      emit(ops_[index_]);
    }
    return true;
  }

  // Runs what stands before the choice; a number that is not 0 is left in failed_ when some
  // question of it holds.
  void run_steps(const StraightLine& line, Label in_order) {
    bool first = true;
    for (const std::uint32_t step : line.steps) {
      const PacketOp& op = ops_[step];
      if (op.kind == PacketOpKind::kPast) {
        load_end(Gp::kR10);
        a_.arith(Arith::kCmp, Size::k64, gp(*op.base), Gp::kR10);
        a_.jcc(Condition::kAbove, in_order);
      } else if (op.kind == PacketOpKind::kPlain) {
        run_alone(op);
      } else if (!is_question(op)) {
        emit(op);
      } else if (has_number(op)) {
        number_of(op, first ? *failed_ : Gp::kR10);
        if (!first) {
          a_.arith(Arith::kOr, Size::k32, *failed_, Gp::kR10);
        }
        first = false;
      } else {
        if (first) {
          a_.zero(*failed_);
        }
        const Condition condition = ask(op);
        a_.mov_imm32(Gp::kR11, 1);
        a_.cmov(condition, Size::k32, *failed_, Gp::kR11);
        first = false;
      }
    }
  }

  // An instruction of a line, which has no others as they stand.
  void run_alone(const PacketOp& op) {
    const ebpf::Instruction& one = input_.program.instructions[op.index];
    if (const auto* alu = std::get_if<ebpf::Alu>(&one)) {
      emit_alu(a_, *alu);
    } else {
      plain(std::get<ebpf::Endian>(one));
    }
  }

  // Leaves out what comes next, up to `end`, until something that is jumped to.
  void skip_to_target(std::size_t end) {
    while (index_ + taken_along_ + 1 < end && !ops_[index_ + taken_along_ + 1].is_target) {
      ++taken_along_;
    }
  }

  // Questions that all lead to verdicts, and a verdict where none of them holds: the verdict is
  // chosen without a jump. Among them there may be asked whether the packet is long enough for the
  // later ones; it nearly always is, so that is asked first, and where it is not, all is done again
  // in order.
  bool emit_choice() {
    if (in_order_ || index_ < in_order_until_ || !is_question(ops_[index_])) {
      return false;
    }
    std::size_t end = index_;
    std::size_t questions = 0;
    for (; end < ops_.size() && questions <= kMostQuestions; ++end) {
      const PacketOp& op = ops_[end];
      const bool asks = is_question(op) || op.kind == PacketOpKind::kFewer;
      if (!asks || ops_[op.target].kind != PacketOpKind::kVerdict) {
        break;
      }
      questions += is_question(op) ? 1 : 0;
    }
    if (end == ops_.size() || ops_[end].kind != PacketOpKind::kVerdict || questions == 0 ||
        questions > kMostQuestions) {
      return false;
    }
    ask_for_length(end);
    a_.mov_imm32(Gp::kR10, ops_[end].value);
    for (std::size_t i = end; i-- > index_;) {
      if (is_question(ops_[i])) {
        choose(ask(ops_[i]), ops_[i].target);
      }
    }
    end_with(Gp::kR10);
    skip_to_target(end + 1);  // Those that others jump to are done once more for them.
    return true;
  }

  void ask_for_length(std::size_t end) {
    std::uint32_t wanted = 0;
    for (std::size_t i = index_; i < end; ++i) {
      if (ops_[i].kind == PacketOpKind::kFewer) {
        wanted = std::max(wanted, ops_[i].value);
      }
    }
    if (wanted != 0) {
      cold_.push_back({.label = a_.new_label(), .from = index_, .to = end});
      a_.cmp_mem_imm(4, packet_field(kCaptured), wanted);
      a_.jcc(Condition::kBelow, cold_.back().label);
    }
  }

  // r10 = the verdict at `target`, if the condition holds.
  void choose(Condition condition, std::uint32_t target) {
    for (const KnownVerdict& known : known_verdicts_) {
      if (known.value == ops_[target].value) {
        return a_.cmov(condition, Size::k32, Gp::kR10, known.reg);
      }
    }
    a_.mov_imm32(Gp::kR11, ops_[target].value);
    a_.cmov(condition, Size::k32, Gp::kR10, Gp::kR11);
  }

  Condition ask(const PacketOp& op) {
    return op.kind == PacketOpKind::kTest ? emit_test(op)
                                          : emit_compare(a_, instruction<ebpf::Jump>(op));
  }

  // Questions with one target, between which nothing happens that the target sees: one jump.
  bool emit_any_of() {
    if (in_order_ || index_ < in_order_until_ || !has_number(ops_[index_])) {
      return false;
    }
    const std::uint32_t target = ops_[index_].target;
    std::size_t last = index_;
    std::size_t questions = 1;
    for (std::size_t i = index_ + 1; questions < kMostQuestions && !ops_[i].is_target; ++i) {
      if (has_number(ops_[i]) && ops_[i].target == target) {
        last = i;
        ++questions;
      } else if (!can_go_first(ops_[i]) || ops_[target].kind != PacketOpKind::kVerdict) {
        break;
      }
    }
    if (questions == 1) {
      return false;
    }
    bool first = true;
    for (std::size_t i = index_; i <= last; ++i) {
      if (!has_number(ops_[i])) {
        emit(ops_[i]);
        continue;
      }
      number_of(ops_[i], first ? Gp::kR10 : Gp::kR11);
      if (!first) {
        a_.arith(Arith::kOr, Size::k32, Gp::kR10, Gp::kR11);
      }
      first = false;
    }
    a_.jcc(Condition::kNotEqual, label(target));
    taken_along_ = last - index_;
    return true;
  }

  // Whether an operation may be done before a question is answered, and leaves r10 alone.
  static bool can_go_first(const PacketOp& op) {
    return op.kind == PacketOpKind::kPoint || op.kind == PacketOpKind::kHeader ||
           (op.kind == PacketOpKind::kLoad && op.from_start);
  }

  // Whether a question is whether a number of 32 bits is not 0.
  bool has_number(const PacketOp& op) const {
    if (op.kind == PacketOpKind::kTest) {
      return op.op == ebpf::JumpOp::kNe || op.op == ebpf::JumpOp::kSet;
    }
    if (op.kind != PacketOpKind::kCompare) {
      return false;
    }
    const auto& jump = instruction<ebpf::Jump>(op);
    return !jump.is64 && jump.op == ebpf::JumpOp::kNe &&
           std::holds_alternative<std::int32_t>(jump.src);
  }

  // That number, into `dst`; r11 is free, or is dst.
  void number_of(const PacketOp& op, Gp dst) {
    std::uint32_t number = op.value;
    if (op.kind == PacketOpKind::kTest) {
      a_.load(extend_of(op.width, false), dst, address(op));
      const bool set = op.op == ebpf::JumpOp::kSet;
      const std::uint32_t mask = set ? op.mask & op.value : op.mask;
      number = set ? 0 : op.value;
      if (mask != 0xffffffff) {
        a_.arith(Arith::kAnd, Size::k32, dst, static_cast<std::int32_t>(mask));
      }
    } else {
      const auto& jump = instruction<ebpf::Jump>(op);
      a_.mov(Size::k32, dst, gp(jump.dst));
      number = static_cast<std::uint32_t>(std::get<std::int32_t>(jump.src));
    }
    if (number != 0) {
      a_.arith(Arith::kXor, Size::k32, dst, static_cast<std::int32_t>(number));
    }
  }

  // What is seldom done, in its order.
  void emit_cold() {
    in_order_ = true;
    for (const Cold& cold : cold_) {
      a_.bind(cold.label);
      for (index_ = cold.from; index_ <= cold.to; ++index_) {
        taken_along_ = 0;
        emit(ops_[index_]);
        index_ += taken_along_;
      }
    }
  }

  Mem address(const PacketOp& op) const {
    if (!op.from_start) {
      return {.base = gp(*op.base), .disp = op.offset};
    }
    Mem mem{.base = kStart, .disp = op.offset};
    if (op.base) {
      mem.index = gp(*op.base);
    }
    return mem;
  }

  void emit_point(const PacketOp& op) {
    if (op.from_start && !op.base && op.offset == 0) {
      a_.mov(Size::k64, gp(op.dst), kStart);
    } else {
      a_.lea(gp(op.dst), address(op));
    }
  }

  void emit_header(const PacketOp& op) {
    a_.load(extend_of(op.width, false), Gp::kR11, {kStart, static_cast<std::int32_t>(op.value)});
    a_.arith(Arith::kAnd, Size::k32, Gp::kR11, static_cast<std::int32_t>(op.mask));
    a_.lea(gp(op.dst), {.base = kStart,
                        .disp = op.offset,
                        .index = Gp::kR11,
                        .scale = static_cast<std::uint8_t>(1U << op.shift)});
  }

  void load_end(Gp dst) {
    a_.load(Extend::kZero32, dst, packet_field(kCaptured));
    a_.arith(Arith::kAdd, Size::k64, dst, kStart);
  }

  void load_field(const PacketOp& op) {
    if (op.offset == offsetof(ebpf::UserContext, length)) {
      return a_.load(Extend::kZero32, gp(op.dst), packet_field(kLength));
    }
    a_.load(Extend::kNone64, Gp::kR11, slot(common_));
    a_.load(Extend::kZero32, gp(op.dst), {Gp::kR11, op.offset});
  }

  void emit_load(const PacketOp& op) {
    a_.load(extend_of(op.width, op.sign_extend), gp(op.dst), address(op));
    if (op.swapped && op.width == ebpf::Width::kH) {
      a_.rotate16(gp(op.dst), 8);
    } else if (op.swapped) {
      a_.bswap(Size::k32, gp(op.dst));
    }
  }

  // Sets the flags of a test; the condition under which it holds.
  Condition emit_test(const PacketOp& op) {
    const auto bytes = static_cast<std::uint8_t>(op.width);
    const std::uint32_t all = bytes == 4 ? 0xffffffff : (1U << 8 * bytes) - 1;
    const std::uint32_t mask = op.mask & all;
    const bool with_zero =
        op.value == 0 && (op.op == ebpf::JumpOp::kEq || op.op == ebpf::JumpOp::kNe);
    if (op.op == ebpf::JumpOp::kSet) {
      a_.test_mem_imm(bytes, address(op), mask & op.value);
    } else if (mask == all && op.value <= all) {
      a_.cmp_mem_imm(bytes, address(op), op.value);
    } else if (with_zero) {
      a_.test_mem_imm(bytes, address(op), mask);
    } else {
      a_.load(extend_of(op.width, false), Gp::kR11, address(op));
      if (mask != all) {
        a_.arith(Arith::kAnd, Size::k32, Gp::kR11, static_cast<std::int32_t>(mask));
      }
      a_.arith(Arith::kCmp, Size::k32, Gp::kR11, static_cast<std::int32_t>(op.value));
    }
    return condition_of(op.op);
  }

  // ---- Instructions as they stand ----

  void emit_plain(const PacketOp& op) {
    std::visit([this](const auto& one) { plain(one); }, input_.program.instructions[op.index]);
  }

  void plain(const ebpf::Alu& alu) {
    if (!emit_three_operand_add(alu)) {
      emit_alu(a_, alu);
    }
  }

  // dst = src; dst += something, of 64 bits: one lea.
  bool emit_three_operand_add(const ebpf::Alu& alu) {
    const PacketOp& next = ops_[index_ + 1];
    if (next.kind != PacketOpKind::kPlain || next.is_target) {
      return false;
    }
    const auto* add = std::get_if<ebpf::Alu>(&input_.program.instructions[next.index]);
    if (add == nullptr || !emit_sum(a_, alu, *add)) {
      return false;
    }
    taken_along_ = 1;
    return true;
  }

  void plain(const ebpf::Endian& endian) { emit_endian(a_, endian, false); }

  void plain(const ebpf::Store& store) {
    const Mem to{gp(store.dst), store.offset};
    const auto bytes = static_cast<std::uint8_t>(store.width);
    if (const auto* reg = std::get_if<Reg>(&store.src)) {
      a_.store(bytes, to, gp(*reg));
    } else {
      a_.store_imm(bytes, to, std::get<std::int32_t>(store.src));
    }
  }

  void plain(const ebpf::Atomic& atomic) {
    emit_atomic(a_, atomic, {gp(atomic.dst), atomic.offset});
  }

  void plain(const ebpf::LoadImm64& load) { a_.mov_imm(gp(load.dst), value_of(load, input_.data)); }

  void plain(const ebpf::Call& call) { emit_helper_call(a_, helper_of(call, input_.helpers)); }

  // A packet form has none of these as they stand.
  void plain(const ebpf::Load&) {}
  void plain(const ebpf::LoadPacket&) {}
  void plain(const ebpf::Jump&) {}
  void plain(const ebpf::Exit&) {}

  // Operations whose code in order begins at the label.
  struct Cold {
    Label label;
    std::size_t from = 0;
    std::size_t to = 0;  // The verdict at their end.
  };

  std::vector<std::uint32_t> label_of_;  // By operation, once it is asked for.
  std::size_t index_ = 0;                // The operation in hand,
  std::size_t taken_along_ = 0;          // and how many behind it were done with it.
  std::vector<Cold> cold_;
  bool in_order_ = false;           // Whether questions are asked one by one,
  std::size_t in_order_until_ = 0;  // or those before this operation.
  int lines_ = 0;
};

}  // namespace

CompiledCode x86::compile_packets(const CompileInput& input, const ebpf::PacketProgram& form) {
  return PacketCompiler(input, form).run();
}

}  // namespace weir::jit
