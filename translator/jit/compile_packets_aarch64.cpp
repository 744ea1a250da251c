// The operations of a packet form: a program whose accesses are all proven, so without checks and
// without a context in memory. The loop around them is packet_loop_aarch64.h's.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "translator/ebpf/packet_form.h"
#include "translator/jit/compile.h"
#include "translator/jit/emit_aarch64.h"
#include "translator/jit/packet_loop_aarch64.h"
#include "translator/jit/straight_line.h"

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
// More numbers than these do not compete for a register; there are few, and forms can be long.
constexpr std::size_t kMostCandidates = 64;

// Inside of an operation: what was loaded; of several tests at once, what was chosen or gathered.
constexpr Gp kLoaded = kAddress;
constexpr Gp kGathered = Gp::kX6;

class PacketCompiler : private PacketLoop {
 public:
  PacketCompiler(const CompileInput& input, const ebpf::PacketForm& form)
      : PacketLoop(input, form) {}

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
        return emit_test_jump(op);
      case PacketOpKind::kCompare:
        return emit_compare_jump(op);
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

  template <typename T>
  const T& instruction(const PacketOp& op) const {
    return std::get<T>(input_.program.instructions[op.index]);
  }

  void jump_by_length(std::uint32_t bytes, JumpOp op, Label target) {
    emit_jump_with(a_, op, Size::k32, at_.captured, bytes, target);
  }

  void compare_with_end(Reg pointer) {
    a_.arith(Arith::kAdd, Size::k64, kAddress, at_.start, at_.captured);
    a_.cmp(Size::k64, gp(pointer), kAddress);
  }

  // The operation's address; may take kAddress.
  Mem address(const PacketOp& op) {
    if (!op.from_start) {
      return {gp(*op.base), op.offset};
    }
    if (!op.base) {
      return {at_.start, op.offset};
    }
    a_.arith(Arith::kAdd, Size::k64, kAddress, at_.start, gp(*op.base));
    return {kAddress, op.offset};
  }

  void load(const PacketOp& op, bool sign_extend, Gp dst) {
    if (op.from_start && op.base && op.offset == 0) {
      a_.load_indexed(extend_of(op.width, sign_extend), dst, at_.start, gp(*op.base));
    } else {
      emit_load(a_, extend_of(op.width, sign_extend), dst, address(op));
    }
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

  // ---- Tests ----

  // Whether a compare or a difference has no form with the number in it.
  static bool is_long(std::uint32_t number) {
    const std::uint32_t negative = 0U - number;
    return !fits_arith(number) && !fits_arith(negative);
  }

  // The numbers that tests compare with and that no form holds; those of the most tests first.
  std::vector<std::uint32_t> wanted_numbers() const {
    struct Wanted {
      std::uint32_t number = 0;
      std::size_t tests = 0;
    };
    std::vector<Wanted> all;
    for (const PacketOp& op : ops_) {
      const std::optional<std::uint32_t> number = compared_number(op);
      if (!number || !is_long(*number)) {
        continue;
      }
      auto found = std::find_if(all.begin(), all.end(),
                                [&number](const Wanted& one) { return one.number == *number; });
      if (found == all.end() && all.size() == kMostCandidates) {
        continue;
      }
      if (found == all.end()) {
        found = all.insert(all.end(), {.number = *number});
      }
      ++found->tests;
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Wanted& a, const Wanted& b) { return a.tests > b.tests; });
    std::vector<std::uint32_t> numbers(all.size());
    std::transform(all.begin(), all.end(), numbers.begin(),
                   [](const Wanted& one) { return one.number; });
    return numbers;
  }

  // The number of 32 bits with which an operation compares another.
  std::optional<std::uint32_t> compared_number(const PacketOp& op) const {
    if (op.kind == PacketOpKind::kTest && !asked_bits(op)) {
      return op.value;
    }
    if (op.kind != PacketOpKind::kCompare) {
      return std::nullopt;
    }
    const auto& jump = instruction<ebpf::Jump>(op);
    const auto* imm = std::get_if<std::int32_t>(&jump.src);
    const bool compares = imm != nullptr && !jump.is64 && jump.op != JumpOp::kSet;
    return compares ? std::optional(static_cast<std::uint32_t>(*imm)) : std::nullopt;
  }

  // Sets the flags of reg against a number of 32 bits.
  void compare32(Gp reg, std::uint32_t number) {
    if (is_long(number)) {
      a_.cmp(Size::k32, reg, in_register(number, kNumber));
    } else {
      emit_compare_with(a_, Size::k32, reg, static_cast<std::int32_t>(number));
    }
  }

  void emit_compare_jump(const PacketOp& op) {
    const auto& jump = instruction<ebpf::Jump>(op);
    const std::optional<std::uint32_t> number = compared_number(op);
    if (number && is_long(*number)) {
      compare32(gp(jump.dst), *number);
      a_.jump_if(condition_of(jump.op), label(op.target));
    } else {
      emit_jump(a_, jump, label(op.target));
    }
  }

  static std::uint32_t all_of(const PacketOp& op) {
    const auto bytes = static_cast<unsigned>(op.width);
    return bytes == 4 ? 0xffffffff : (1U << 8 * bytes) - 1;
  }

  // Loads what a test is of, masked.
  void load_masked(const PacketOp& op, Gp dst) {
    load(op, false, dst);
    if ((op.mask & all_of(op)) != all_of(op)) {
      emit_and32(a_, dst, dst, op.mask & all_of(op));
    }
  }

  // Of a test that asks whether some bits are set: those. Nothing of others.
  static std::optional<std::uint32_t> asked_bits(const PacketOp& op) {
    const std::uint32_t mask = op.mask & all_of(op);
    if (op.op == JumpOp::kSet) {
      return mask & op.value;
    }
    const bool with_zero = op.value == 0 && (op.op == JumpOp::kEq || op.op == JumpOp::kNe);
    return with_zero && mask != all_of(op) ? std::optional(mask) : std::nullopt;
  }

  void emit_test_jump(const PacketOp& op) {
    const Label target = label(op.target);
    const std::optional<std::uint32_t> bits = asked_bits(op);
    if (!bits) {
      load_masked(op, kLoaded);
      if (is_long(op.value)) {
        compare32(kLoaded, op.value);
        return a_.jump_if(condition_of(op.op), target);
      }
      return emit_jump_with(a_, op.op, Size::k32, kLoaded, static_cast<std::int32_t>(op.value),
                            target);
    }
    load(op, false, kLoaded);
    if (op.op != JumpOp::kEq) {
      emit_jump_with(a_, JumpOp::kSet, Size::k32, kLoaded, *bits, target);
    } else if (std::has_single_bit(*bits)) {
      a_.jump_if_bit_clear(kLoaded, static_cast<std::uint8_t>(std::countr_zero(*bits)), target);
    } else {
      emit_test_with(a_, Size::k32, kLoaded, *bits);
      a_.jump_if(Condition::kEqual, target);
    }
  }

  // Sets the flags; the condition under which the question's answer is yes.
  Condition ask(const PacketOp& op) {
    const std::optional<std::uint32_t> number = compared_number(op);
    if (op.kind == PacketOpKind::kCompare && number) {
      compare32(gp(instruction<ebpf::Jump>(op).dst), *number);
      return condition_of(instruction<ebpf::Jump>(op).op);
    }
    if (op.kind == PacketOpKind::kCompare) {
      return emit_compare(a_, instruction<ebpf::Jump>(op));
    }
    if (const std::optional<std::uint32_t> bits = asked_bits(op)) {
      load(op, false, kLoaded);
      emit_test_with(a_, Size::k32, kLoaded, *bits);
    } else {
      load_masked(op, kLoaded);
      compare32(kLoaded, op.value);
    }
    return condition_of(op.op);
  }

  // ---- Several tests at once ----
  //
  // As in straight_line.h. Tests that stand together are cheap to make all, and safe: what they
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
    for (; end < ops_.size(); ++end) {
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

  // Whether a question is whether a number of 32 bits is not 0.
  bool has_number(const PacketOp& op) const {
    if (op.kind == PacketOpKind::kTest) {
      return op.op == JumpOp::kNe || op.op == JumpOp::kSet;
    }
    if (op.kind != PacketOpKind::kCompare) {
      return false;
    }
    const auto& jump = instruction<ebpf::Jump>(op);
    return !jump.is64 && jump.op == JumpOp::kNe && std::holds_alternative<std::int32_t>(jump.src);
  }

  // That number, into `dst`. Takes kNumber, and kAddress where dst is another.
  void number_of(const PacketOp& op, Gp dst) {
    std::uint32_t number = op.value;
    Gp from = dst;
    if (op.kind == PacketOpKind::kTest && op.op == JumpOp::kSet) {
      load(op, false, dst);
      return emit_and32(a_, dst, dst, op.mask & op.value & all_of(op));
    }
    if (op.kind == PacketOpKind::kTest) {
      load_masked(op, dst);
    } else {
      const auto& jump = instruction<ebpf::Jump>(op);
      from = gp(jump.dst);
      number = static_cast<std::uint32_t>(std::get<std::int32_t>(jump.src));
    }
    emit_difference(dst, from, number);
  }

  // A number that is not 0 where src is another than the number.
  void emit_difference(Gp dst, Gp src, std::uint32_t number) {
    if (number == 0 || !is_long(number)) {
      if (number != 0 || dst != src) {
        emit_add(a_, Size::k32, dst, src, -static_cast<std::int64_t>(number));
      }
    } else if (!is_in_register(number) && logic_immediate(Size::k32, number)) {
      a_.logic_imm(Logic::kEor, Size::k32, dst, src, number);
    } else {
      a_.logic(Logic::kEor, Size::k32, dst, src, in_register(number, kNumber));
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

Result<CompiledCode> compile_packets(const CompileInput& input, const ebpf::PacketForm& form) {
  return PacketCompiler(input, form).run();
}

}  // namespace weir::jit::aarch64
