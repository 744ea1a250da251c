// From a program to the form it is run in. What is refused is ebpf::check_for_user_space's matter.
#include "translator/vm/load.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <optional>
#include <utility>

#include "translator/ebpf/user_context.h"
#include "translator/userspace/bounds_analysis.h"
#include "translator/userspace/check.h"
#include "translator/userspace/packet_program.h"
#include "translator/vm/single_test_loop.h"
#include "translator/vm/superinstructions.h"

namespace weir::vm {
namespace {

using ebpf::Instruction;
using ebpf::Operand;
using ebpf::PacketOp;
using ebpf::PacketOpKind;
using ebpf::Reg;

constexpr std::size_t kNone = SIZE_MAX;
// What is read behind a header whose length is in the packet is mostly within these.
constexpr std::int32_t kHeaderBytes = 64;

std::uint64_t wide(std::int32_t value) { return static_cast<std::uint64_t>(std::int64_t{value}); }

bool is_register(const Operand& operand) { return std::holds_alternative<Reg>(operand); }

// Sequencer instructions into Ops one by one.
class Translator {
 public:
  Translator(const ebpf::Program& program, Code& code)
      : program_(program), code_(code), labels_(handlers()) {
    number_slots();
  }

  // A backward jump goes to a `back` operation behind the last Op, which charges the budget and
  // goes on to where the jump leads: so only they pay.
  void make_ops() {
    for (const Instruction& instruction : program_.instructions) {
      const auto* call = std::get_if<ebpf::Call>(&instruction);
      calls_ |= call != nullptr && call->kind == ebpf::CallKind::kLocal;
    }
    code_.ops.reserve(program_.instructions.size());
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
      code_.ops.push_back(op_of(i));
    }
    code_.ops.insert(code_.ops.end(), backs_.begin(), backs_.end());
    code_.stack_bytes = ebpf::stack_bytes(program_);
  }

  // A packet form has no ways back and no local calls.
  void make_packet_ops(const ebpf::PacketProgram& form) {
    code_.prefetched = form.reads_elsewhere || form.first_byte != form.behind_bytes;
    code_.first_prefetched = form.reads_elsewhere ? 0 : form.first_byte;
    code_.last_prefetched = form.reads_elsewhere ? std::max(kHeaderBytes, form.behind_bytes - 1)
                                                 : form.behind_bytes - 1;
    code_.registers_zeroed = form.zeroed != 0;
    code_.stack_zeroed = form.stack_zeroed;
    code_.packet_ops.reserve(form.ops.size());
    for (std::size_t i = 0; i < form.ops.size(); ++i) {
      code_.packet_ops.push_back(op_of(form.ops[i], static_cast<std::int32_t>(i)));
    }
    make_superinstructions(form.ops, program_.instructions, labels_, code_.packet_ops);
    if (form.ops.front().kind == PacketOpKind::kFewer) {
      code_.least_captured = form.ops.front().value;
      code_.begin_short = form.ops.front().target;
      code_.begin = 1;
    }
    code_.loop = single_test_loop(code_, labels_);
  }

 private:
  void number_slots() {
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
      slot_of_.push_back(at_slot_.size());
      at_slot_.push_back(i);
      if (slots(program_.instructions[i]) == 2) {
        at_slot_.push_back(kNone);
      }
    }
  }

  // The instruction `distance` slots behind the one in hand.
  std::size_t target(std::int64_t distance) const {
    const std::int64_t next = static_cast<std::int64_t>(slot_of_[index_]) + 1 + distance;
    return at_slot_[static_cast<std::size_t>(next)];
  }

  // ---- Instructions ----

  Op op_of(std::size_t index) {
    index_ = index;
    op_ = {.index = static_cast<std::uint32_t>(index)};
    std::visit([this](const auto& instruction) { translate(instruction); },
               program_.instructions[index]);
    return op_;
  }

  void set_handler(std::size_t number) { op_.handler = labels_[number]; }
  void set_dst(Reg reg) { op_.dst = static_cast<std::uint8_t>(reg); }
  void set_src(Reg reg) { op_.src = static_cast<std::uint8_t>(reg); }

  void translate(const ebpf::Alu& alu) {
    Operand src = alu.op == ebpf::AluOp::kNeg ? Operand(0) : alu.src;
    ebpf::AluOp op = alu.op;
    const int moved = op == ebpf::AluOp::kMovSx8    ? 8
                      : op == ebpf::AluOp::kMovSx16 ? 16
                      : op == ebpf::AluOp::kMovSx32 ? 32
                                                    : 0;
    if (moved != 0 && !is_register(src)) {
      auto& imm = std::get<std::int32_t>(src);
      imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(imm) << (32 - moved)) >>
            (32 - moved);
      op = ebpf::AluOp::kMov;
    } else if (moved == 32 && !alu.is64) {
      op = ebpf::AluOp::kMov;
    }
    set_handler(handler::alu(op, alu.is64, is_register(src)));
    set_dst(alu.dst);
    if (const Reg* reg = std::get_if<Reg>(&src)) {
      set_src(*reg);
    } else {
      op_.value = wide(std::get<std::int32_t>(src));
    }
  }

  void translate(const ebpf::Endian& endian) {
    constexpr auto kHere = std::endian::native == std::endian::little ? ebpf::EndianOp::kToLittle
                                                                      : ebpf::EndianOp::kToBig;
    const std::size_t width = endian.bits == 16 ? 0 : endian.bits == 32 ? 1 : 2;
    set_handler(handler::kEndian + width * 2 + (endian.op == kHere ? 0 : 1));
    set_dst(endian.dst);
  }

  void translate(const ebpf::Load& load) {
    const bool sign_extend = load.sign_extend && load.width != ebpf::Width::kDw;
    set_handler(handler::load(load.width, sign_extend));
    op_.value = wide(load.offset);
    set_dst(load.dst);
    set_src(load.src);
  }

  void translate(const ebpf::Store& store) {
    set_handler(handler::store(store.width, is_register(store.src)));
    op_.offset = store.offset;
    set_dst(store.dst);
    if (const Reg* reg = std::get_if<Reg>(&store.src)) {
      op_.value = wide(store.offset);
      set_src(*reg);
    } else {
      op_.value = wide(std::get<std::int32_t>(store.src));
    }
  }

  void translate(const ebpf::Atomic& atomic) {
    set_handler(handler::kAtomic);
    const bool fetch = atomic.fetch || atomic.op == ebpf::AtomicOp::kExchange;
    op_.offset = atomic.offset;
    op_.atomic = {
        .op = atomic.op, .fetch = fetch, .bytes = static_cast<std::uint8_t>(atomic.width)};
    set_dst(atomic.dst);
    set_src(atomic.src);
  }

  void translate(const ebpf::LoadImm64& load) {
    set_handler(handler::kImm64);
    op_.value = load.value;
    if (load.kind == ebpf::Imm64Kind::kMapValueIndex) {
      op_.value =
          code_.regions[static_cast<std::uint32_t>(load.value)].address + (load.value >> 32);
    }
    set_dst(load.dst);
  }

  void translate(const ebpf::LoadPacket& load) {
    set_handler(handler::kPacket);
    op_.packet = {.offset = static_cast<std::uint32_t>(load.imm),
                  .bytes = static_cast<std::uint8_t>(load.width),
                  .indirect = load.indirect};
    set_src(load.index);
  }

  void translate(const ebpf::Jump& jump) {
    const std::size_t to = target(jump.offset);
    set_condition(jump);
    op_.jump.target = to <= index_ ? via_back(to) : distance(to);
  }

  void set_condition(const ebpf::Jump& jump) {
    set_handler(handler::jump(jump.op, jump.is64, is_register(jump.src)));
    op_.jump = {.imm = 0, .target = 0};
    set_dst(jump.dst);
    if (const Reg* reg = std::get_if<Reg>(&jump.src)) {
      set_src(*reg);
    } else {
      op_.jump.imm = std::get<std::int32_t>(jump.src);
    }
  }

  std::int32_t distance(std::size_t to) const {
    return static_cast<std::int32_t>(static_cast<std::int64_t>(to) -
                                     static_cast<std::int64_t>(index_));
  }

  // Lays a `back` operation for a jump from here to `to`; gives the way to it.
  std::int32_t via_back(std::size_t to) {
    const std::size_t at = program_.instructions.size() + backs_.size();
    Op back = {.handler = labels_[handler::kBack], .index = static_cast<std::uint32_t>(index_)};
    back.jump = {.imm = static_cast<std::int32_t>(index_ - to + 1),
                 .target = static_cast<std::int32_t>(static_cast<std::int64_t>(to) -
                                                     static_cast<std::int64_t>(at))};
    backs_.push_back(back);
    return distance(at);
  }

  void translate(const ebpf::Call& call) {
    if (call.kind == ebpf::CallKind::kLocal) {
      set_handler(handler::kCallLocal);
      op_.jump = {.imm = 0, .target = distance(target(call.imm))};
      return;
    }
    set_handler(handler::kCallHelper);
    op_.helper = &*std::find_if(code_.helpers.begin(), code_.helpers.end(),
                                [&](const Helper& one) { return one.number == call.imm; });
  }

  void translate(const ebpf::Exit&) { set_handler(calls_ ? handler::kReturn : handler::kExit); }

  // ---- Operations of a packet form ----

  Op op_of(const PacketOp& op, std::int32_t at) {
    if (op.kind == PacketOpKind::kPlain) {
      return op_of(op.index);
    }
    op_ = {.index = op.index, .place = op.offset, .mask = op.mask};
    set_dst(op.dst);
    set_src(op.base.value_or(Reg::kR0));
    switch (op.kind) {
      case PacketOpKind::kPlain:
        break;
      case PacketOpKind::kPoint:
        set_handler(handler::kPoint + (!op.base ? 0 : op.from_start ? 1 : 0));
        break;
      case PacketOpKind::kHeader:
        set_handler(handler::header(op.width));
        op_.value = op.value;
        op_.src = op.shift;
        break;
      case PacketOpKind::kEnd:
        set_handler(handler::kPacketEnd);
        break;
      case PacketOpKind::kField:
        set_handler(op.offset == offsetof(ebpf::UserContext, length) ? handler::kLength
                                                                     : handler::kField);
        op_.value = static_cast<std::uint32_t>(op.offset);
        break;
      case PacketOpKind::kLoad:
        set_handler(handler::packet_load(op.width,
                                         op.swapped       ? handler::Reading::kTurned
                                         : op.sign_extend ? handler::Reading::kSigned
                                                          : handler::Reading::kPlain,
                                         op.from_start));
        break;
      case PacketOpKind::kTest:
        set_test(op);
        break;
      case PacketOpKind::kCompare:
        set_condition(std::get<ebpf::Jump>(program_.instructions[op.index]));
        break;
      case PacketOpKind::kFewer:
      case PacketOpKind::kEnough:
        set_handler(op.kind == PacketOpKind::kFewer ? handler::kFewer : handler::kEnough);
        op_.jump = {.imm = static_cast<std::int32_t>(op.value), .target = 0};
        break;
      case PacketOpKind::kPast:
        set_handler(handler::kPast + (op.op == ebpf::JumpOp::kGt   ? 0
                                      : op.op == ebpf::JumpOp::kGe ? 1
                                      : op.op == ebpf::JumpOp::kLt ? 2
                                      : op.op == ebpf::JumpOp::kLe ? 3
                                      : op.op == ebpf::JumpOp::kEq ? 4
                                                                   : 5));
        op_.jump = {.imm = 0, .target = 0};
        break;
      case PacketOpKind::kGo:
        set_handler(handler::jump(ebpf::JumpOp::kJa, true, false));
        op_.jump = {.imm = 0, .target = 0};
        break;
      case PacketOpKind::kVerdict:
        set_handler(handler::kVerdict);
        op_.value = op.value;
        return op_;
      case PacketOpKind::kReturn:
        set_handler(handler::kReturnVerdict);
        return op_;
    }
    if (op.target != 0) {  // A target is behind its jump, so never the first.
      op_.jump.target = static_cast<std::int32_t>(op.target) - at;
    }
    return op_;
  }

  // The orders are two: > n is >= n + 1 and <= n is < n + 1; past the greatest number one never
  // holds, the other always.
  void set_test(const PacketOp& op) {
    auto condition = handler::Condition::kEqual;
    std::uint32_t value = op.value;
    const bool last = value == 0xffffffff;
    switch (op.op) {
      case ebpf::JumpOp::kEq:
        break;
      case ebpf::JumpOp::kNe:
        condition = handler::Condition::kNotEqual;
        break;
      case ebpf::JumpOp::kSet:
        condition = handler::Condition::kAnyBit;
        op_.mask &= value;
        break;
      case ebpf::JumpOp::kGe:
        condition = handler::Condition::kAtLeast;
        break;
      case ebpf::JumpOp::kLt:
        condition = handler::Condition::kBelow;
        break;
      case ebpf::JumpOp::kGt:
        condition = last ? handler::Condition::kBelow : handler::Condition::kAtLeast;
        value = last ? 0 : value + 1;
        break;
      case ebpf::JumpOp::kLe:
        condition = last ? handler::Condition::kAtLeast : handler::Condition::kBelow;
        value = last ? 0 : value + 1;
        break;
      case ebpf::JumpOp::kJa:
      case ebpf::JumpOp::kSGt:
      case ebpf::JumpOp::kSGe:
      case ebpf::JumpOp::kSLt:
      case ebpf::JumpOp::kSLe:
        break;  // No test has these.
    }
    set_handler(handler::test(op.width, condition, op.from_start));
    op_.jump = {.imm = static_cast<std::int32_t>(value), .target = 0};
  }

  const ebpf::Program& program_;
  Code& code_;
  std::span<const void* const> labels_;
  std::vector<std::size_t> slot_of_;  // Of each instruction.
  std::vector<std::size_t> at_slot_;  // The instruction that begins there, or kNone.
  std::vector<Op> backs_;
  bool calls_ = false;     // Whether the program has local calls.
  std::size_t index_ = 0;  // The instruction in hand, and what becomes of it.
  Op op_;
};

}  // namespace

Result<std::unique_ptr<Code>> make_code(const ebpf::Program& program,
                                        std::span<const Helper> helpers,
                                        const LoadOptions& options) {
  if (Status status = ebpf::check_for_user_space(program, helpers, options.legacy_packet_access);
      !status) {
    return tl::make_unexpected(std::move(status.error()));
  }
  auto code = std::make_unique<Code>();
  code->helpers.assign(helpers.begin(), helpers.end());
  code->budget = options.budget != 0 ? options.budget : kDefaultBudget;
  code->instructions = program.instructions;
  for (const ebpf::Map& map : program.maps) {
    code->data.push_back(map.data);
  }
  for (const std::vector<std::uint8_t>& data : code->data) {
    code->regions.push_back(readable(data));
  }
  Translator translator(program, *code);
  translator.make_ops();
  if (const auto form = ebpf::packet_program(program, ebpf::prove_packet_accesses(program))) {
    translator.make_packet_ops(*form);
  }
  return code;
}

}  // namespace weir::vm
