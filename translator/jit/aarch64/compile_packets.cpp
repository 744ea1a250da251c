// The operations of a packet form: a program whose accesses are all proven, so without checks and
// without a context in memory. The loop around them is packet_loop.h's.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "translator/jit/aarch64/emit.h"
#include "translator/jit/aarch64/packet_tests.h"
#include "translator/jit/compile.h"
#include "translator/jit/if_conversion.h"
#include "translator/userspace/packet_program.h"

namespace weir::jit::aarch64 {
namespace {

using ebpf::JumpOp;
using ebpf::PacketOp;
using ebpf::PacketOpKind;
using ebpf::Reg;

// More questions than these are not asked all at once.
constexpr std::size_t kMostQuestions = 6;
// More lines than these make the code long for nothing.
constexpr int kMostLines = 8;
// Of several tests at once: what was chosen or gathered.
constexpr Gp kGathered = Gp::kX6;

class PacketCompiler : private PacketTests {
 public:
  PacketCompiler(const CompileInput& input, const ebpf::PacketProgram& form)
      : PacketTests(input, form) {}

  Result<CompiledCode> run() {
    choose_registers(wanted_numbers());
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
    auto bytes = a_.finish();
    if (!bytes) {
      return tl::make_unexpected(std::move(bytes.error()));
    }
    return CompiledCode{.bytes = std::move(*bytes),
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
        return a_.arith(Arith::kAdd, Size::k64, gp(op.dst), at_.start, at_.captured);
      case PacketOpKind::kField:
        return load_field(op);
      case PacketOpKind::kLoad:
        return emit_load_op(op);
      case PacketOpKind::kTest:
        return emit_test_jump(op, label(op.target));
      case PacketOpKind::kCompare:
        return emit_compare_jump(op, label(op.target));
      case PacketOpKind::kFewer:
        return jump_by_length(op.value, JumpOp::kLt, label(op.target));
      case PacketOpKind::kEnough:
        return jump_by_length(op.value, JumpOp::kGe, label(op.target));
      case PacketOpKind::kPast:
        compare_with_end(*op.base);
        return a_.jump_if(condition_of(op.op), label(op.target));
      case PacketOpKind::kGo:
        return a_.jump(label(op.target));
      case PacketOpKind::kVerdict:
        return end_with(op.value);
      case PacketOpKind::kReturn:
        return end_with(gp(Reg::kR0));
    }
  }

  void jump_by_length(std::uint32_t bytes, JumpOp op, Label target) {
    emit_jump_with(a_, op, Size::k32, at_.captured, bytes, target);
  }

  void compare_with_end(Reg pointer) {
    a_.arith(Arith::kAdd, Size::k64, kAddress, at_.start, at_.captured);
    a_.cmp(Size::k64, gp(pointer), kAddress);
  }

  void emit_point(const PacketOp& op) {
    Gp base = op.from_start ? at_.start : gp(*op.base);
    if (op.from_start && op.base) {
      a_.arith(Arith::kAdd, Size::k64, gp(op.dst), at_.start, gp(*op.base));
      base = gp(op.dst);
    }
    emit_add(a_, Size::k64, gp(op.dst), base, op.offset);
  }

  void emit_header(const PacketOp& op) {
    emit_load(a_, extend_of(op.width, false), kLoaded,
              {at_.start, static_cast<std::int32_t>(op.value)});
    emit_and32(a_, kLoaded, kLoaded, op.mask);
    a_.arith(Arith::kAdd, Size::k64, gp(op.dst), at_.start, kLoaded, op.shift);
    emit_add(a_, Size::k64, gp(op.dst), gp(op.dst), op.offset);
  }

  void load_field(const PacketOp& op) {
    if (op.offset == offsetof(ebpf::UserContext, length)) {
      return a_.load(Extend::kZero32, gp(op.dst), packet_field(offsetof(ebpf::UserPacket, length)));
    }
    a_.load(Extend::kZero32, gp(op.dst), {common(kAddress), op.offset});
  }

  void emit_load_op(const PacketOp& op) {
    const Gp dst = gp(op.dst);
    load(op, op.sign_extend, dst);
    if (op.swapped && op.width == ebpf::Width::kH) {
      a_.rev16(Size::k32, dst, dst);
    } else if (op.swapped) {
      a_.rev(Size::k32, dst, dst);
    }
  }

  // ---- Several tests at once ----
  //
  // As in if_conversion.h. Tests that stand together are cheap to make all, and safe: what they
  // read was checked before the first.

  // The stretch from here in one line. Where it may have to be run in order, that code follows, and
  // so it does where others jump into it.
  bool emit_straight_line() {
    const bool within_line = index_ < in_order_until_ && !ops_[index_].is_target;
    if (in_order_ || within_line || !at_.failed || lines_ == kMostLines) {
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
      jump_by_length(line->least_captured, JumpOp::kLt, in_order);
    }
    run_steps(*line, in_order);
    a_.mov_imm(kGathered, ops_[line->otherwise].value);
    for (std::size_t i = line->choice.size(); i-- > 0;) {
      const PacketOp& question = ops_[line->choice[i]];
      choose(ask(question), question.target);
    }
    a_.cmp_imm(Size::k32, *at_.failed, 0);
    choose(Condition::kNotEqual, line->failure);
    end_with(kGathered);
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

  // Runs what stands before the choice; a number that is not 0 is left in `failed` when some
  // question of it holds.
  void run_steps(const StraightLine& line, Label in_order) {
    const Gp failed = *at_.failed;
    bool first = true;
    for (const std::uint32_t step : line.steps) {
      const PacketOp& op = ops_[step];
      if (op.kind == PacketOpKind::kPast) {
        compare_with_end(*op.base);
        a_.jump_if(Condition::kAbove, in_order);
      } else if (op.kind == PacketOpKind::kPlain) {
        run_alone(op);
      } else if (!is_question(op)) {
        emit(op);
      } else {
        const Gp number = first ? failed : kLoaded;
        if (has_number(op)) {
          number_of(op, number);
        } else {
          a_.cset(ask(op), Size::k32, number);
        }
        if (!first) {
          a_.logic(Logic::kOrr, Size::k32, failed, failed, number);
        }
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
    a_.mov_imm(kGathered, ops_[end].value);
    for (std::size_t i = end; i-- > index_;) {
      if (is_question(ops_[i])) {
        choose(ask(ops_[i]), ops_[i].target);
      }
    }
    end_with(kGathered);
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
      jump_by_length(wanted, JumpOp::kLt, cold_.back().label);
    }
  }

  // kGathered = the verdict at `target`, if the condition holds.
  void choose(Condition condition, std::uint32_t target) {
    const Gp verdict = in_register(ops_[target].value, kNumber);
    a_.csel(condition, Size::k32, kGathered, verdict, kGathered);
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
      number_of(ops_[i], first ? kGathered : kLoaded);
      if (!first) {
        a_.logic(Logic::kOrr, Size::k32, kGathered, kGathered, kLoaded);
      }
      first = false;
    }
    a_.jump_if_not_zero(Size::k32, kGathered, label(target));
    taken_along_ = last - index_;
    return true;
  }

  // Whether an operation may be done before a question is answered.
  static bool can_go_first(const PacketOp& op) {
    return op.kind == PacketOpKind::kPoint || op.kind == PacketOpKind::kHeader ||
           (op.kind == PacketOpKind::kLoad && op.from_start);
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

  // ---- Instructions as they stand ----

  void emit_plain(const PacketOp& op) {
    std::visit([this](const auto& one) { plain(one); }, input_.program.instructions[op.index]);
  }

  void plain(const ebpf::Alu& alu) {
    const PacketOp& next = ops_[index_ + 1];
    const bool is_plain = next.kind == PacketOpKind::kPlain && !next.is_target;
    const auto* second =
        is_plain ? std::get_if<ebpf::Alu>(&input_.program.instructions[next.index]) : nullptr;
    if (second != nullptr && emit_on_copy(a_, alu, *second)) {
      taken_along_ = 1;
    } else {
      emit_alu(a_, alu);
    }
  }

  void plain(const ebpf::Endian& endian) { emit_endian(a_, endian, false); }

  void plain(const ebpf::Store& store) {
    const Mem to{gp(store.dst), store.offset};
    const auto bytes = static_cast<std::uint8_t>(store.width);
    if (const auto* reg = std::get_if<Reg>(&store.src)) {
      emit_store(a_, bytes, to, gp(*reg));
    } else {
      emit_store_imm(a_, bytes, to, std::get<std::int32_t>(store.src));
    }
  }

  void plain(const ebpf::LoadImm64& load) { a_.mov_imm(gp(load.dst), value_of(load, input_.data)); }

  void plain(const ebpf::Call& call) { emit_helper_call(a_, helper_of(call, input_.helpers)); }

  // A packet form has none of these as they stand; what atomic operations do is not proven.
  void plain(const ebpf::Atomic&) {}
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

Result<CompiledCode> compile_packets(const CompileInput& input, const ebpf::PacketProgram& form) {
  return PacketCompiler(input, form).run();
}

}  // namespace weir::jit::aarch64
