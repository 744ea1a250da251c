// From a program to the form it is run in, with the refusals that make running it safe.
#include "translator/vm/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

namespace weir::vm {
namespace {

using ebpf::Instruction;
using ebpf::Operand;
using ebpf::Reg;

constexpr std::size_t kNone = SIZE_MAX;

std::uint64_t wide(std::int32_t value) { return static_cast<std::uint64_t>(std::int64_t{value}); }

bool is_register(const Operand& operand) { return std::holds_alternative<Reg>(operand); }

// Turns instructions into Ops one by one. A backward jump goes to a `back` operation behind the
// last Op, which charges the budget and goes on to where the jump leads: so only they pay.
class Translator {
 public:
  Translator(const ebpf::Program& program, Code& code, const LoadOptions& options)
      : program_(program), code_(code), options_(options), labels_(handlers()) {}

  Status run() {
    if (program_.instructions.empty()) {
      return fail(ErrorCode::kInvalidProgram, "the program is empty");
    }
    number_slots();
    for (const Instruction& instruction : program_.instructions) {
      calls_ |= is_local_call(instruction);
    }
    for (index_ = 0; index_ < program_.instructions.size(); ++index_) {
      op_ = {.index = static_cast<std::uint32_t>(index_)};
      const auto one = [this](const auto& instruction) { return translate(instruction); };
      if (Status status = std::visit(one, program_.instructions[index_]); !status) {
        return status;
      }
      code_.ops.push_back(op_);
    }
    --index_;
    const auto* last = std::get_if<ebpf::Jump>(&program_.instructions.back());
    const bool leaves = std::holds_alternative<ebpf::Exit>(program_.instructions.back()) ||
                        (last != nullptr && last->op == ebpf::JumpOp::kJa);
    if (!leaves) {
      return refuse("the program runs off its end");
    }
    code_.ops.insert(code_.ops.end(), backs_.begin(), backs_.end());
    code_.stack_bytes = stack_bytes();
    return {};
  }

 private:
  static bool is_local_call(const Instruction& instruction) {
    const auto* call = std::get_if<ebpf::Call>(&instruction);
    return call != nullptr && call->kind == ebpf::CallKind::kLocal;
  }

  tl::unexpected<Error> refuse(std::string message,
                               ErrorCode code = ErrorCode::kInvalidProgram) const {
    return fail(code, std::move(message), {.instruction = static_cast<std::uint32_t>(index_)});
  }
  tl::unexpected<Error> unsupported(std::string message) const {
    return refuse(std::move(message), ErrorCode::kUnsupported);
  }

  void number_slots() {
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
      slot_of_.push_back(at_slot_.size());
      at_slot_.push_back(i);
      if (slots(program_.instructions[i]) == 2) {
        at_slot_.push_back(kNone);
      }
    }
  }

  // The instruction `distance` slots behind the one in hand; kNone when there is none.
  std::size_t target(std::int64_t distance) const {
    const std::int64_t next = static_cast<std::int64_t>(slot_of_[index_]) + 1 + distance;
    if (next < 0 || next >= static_cast<std::int64_t>(at_slot_.size())) {
      return kNone;
    }
    return at_slot_[static_cast<std::size_t>(next)];
  }

  void set_handler(std::size_t number) { op_.handler = labels_[number]; }

  Status set_dst(Reg reg) {
    if (reg == Reg::kR10) {
      return refuse("r10 is read-only");
    }
    return set_base(reg);
  }
  // A destination that is only read: the base of a store, the left side of a comparison.
  Status set_base(Reg reg) {
    op_.dst = static_cast<std::uint8_t>(reg);
    return check_register(reg);
  }
  Status set_src(Reg reg) {
    op_.src = static_cast<std::uint8_t>(reg);
    return check_register(reg);
  }
  Status check_register(Reg reg) const {
    if (reg > Reg::kR10) {
      return refuse(fmt::format("no register r{}", static_cast<int>(reg)));
    }
    return {};
  }

  // The first failure of several checks.
  static Status all(Status first, Status second) { return first ? std::move(second) : first; }

  Status translate(const ebpf::Alu& alu) {
    Operand src = alu.op == ebpf::AluOp::kNeg ? Operand(0) : alu.src;
    ebpf::AluOp op = alu.op;
    bool is64 = alu.is64;
    int moved = op == ebpf::AluOp::kMovSx8    ? 8
                : op == ebpf::AluOp::kMovSx16 ? 16
                : op == ebpf::AluOp::kMovSx32 ? 32
                                              : 0;
    if (moved != 0 && !is_register(src)) {
      auto& imm = std::get<std::int32_t>(src);
      imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(imm) << (32 - moved)) >>
            (32 - moved);
      op = ebpf::AluOp::kMov;
    } else if (moved == 32 && !is64) {
      op = ebpf::AluOp::kMov;
    }
    set_handler(handler::alu(op, is64, is_register(src)));
    if (const Reg* reg = std::get_if<Reg>(&src)) {
      return all(set_dst(alu.dst), set_src(*reg));
    }
    op_.value = wide(std::get<std::int32_t>(src));
    return set_dst(alu.dst);
  }

  Status translate(const ebpf::Endian& endian) {
    if (endian.bits != 16 && endian.bits != 32 && endian.bits != 64) {
      return refuse(fmt::format("a byte swap is of 16, 32 or 64 bits, not {}", endian.bits));
    }
    constexpr auto kHere = std::endian::native == std::endian::little ? ebpf::EndianOp::kToLittle
                                                                      : ebpf::EndianOp::kToBig;
    const std::size_t width = endian.bits == 16 ? 0 : endian.bits == 32 ? 1 : 2;
    set_handler(handler::kEndian + width * 2 + (endian.op == kHere ? 0 : 1));
    return set_dst(endian.dst);
  }

  Status translate(const ebpf::Load& load) {
    const bool sign_extend = load.sign_extend && load.width != ebpf::Width::kDw;
    set_handler(handler::load(load.width, sign_extend));
    op_.value = wide(load.offset);
    return all(set_dst(load.dst), set_src(load.src));
  }

  Status translate(const ebpf::Store& store) {
    set_handler(handler::store(store.width, is_register(store.src)));
    op_.offset = store.offset;
    if (const Reg* reg = std::get_if<Reg>(&store.src)) {
      op_.value = wide(store.offset);
      return all(set_base(store.dst), set_src(*reg));
    }
    op_.value = wide(std::get<std::int32_t>(store.src));
    return set_base(store.dst);
  }

  Status translate(const ebpf::Atomic& atomic) {
    if (atomic.width != ebpf::Width::kW && atomic.width != ebpf::Width::kDw) {
      return refuse("an atomic operation is of 4 or 8 bytes");
    }
    set_handler(handler::kAtomic);
    const bool fetch = atomic.fetch || atomic.op == ebpf::AtomicOp::kExchange;
    const bool writes_src = fetch && atomic.op != ebpf::AtomicOp::kCompareExchange;
    op_.offset = atomic.offset;
    op_.atomic = {
        .op = atomic.op, .fetch = fetch, .bytes = static_cast<std::uint8_t>(atomic.width)};
    if (writes_src && atomic.src == Reg::kR10) {
      return refuse("r10 is read-only");
    }
    return all(set_base(atomic.dst), set_src(atomic.src));
  }

  Status translate(const ebpf::LoadImm64& load) {
    set_handler(handler::kImm64);
    const auto imm = static_cast<std::uint32_t>(load.value);
    const auto next = static_cast<std::uint32_t>(load.value >> 32);
    switch (load.kind) {
      case ebpf::Imm64Kind::kValue:
        op_.value = load.value;
        return set_dst(load.dst);
      case ebpf::Imm64Kind::kMapValueIndex:
        if (imm >= program_.maps.size()) {
          return refuse(fmt::format("no map has index {}", imm));
        }
        if (program_.maps[imm].kind != ebpf::MapKind::kReadOnlyData) {
          return unsupported(fmt::format("map {} is not read-only data, all there is in user space",
                                         program_.maps[imm].name));
        }
        op_.value = code_.regions[imm].address + next;
        return set_dst(load.dst);
      case ebpf::Imm64Kind::kMapFd:
      case ebpf::Imm64Kind::kMapValueFd:
      case ebpf::Imm64Kind::kMapIndex:
        return unsupported("the kernel's maps are not in reach of user space");
      case ebpf::Imm64Kind::kVariable:
        return unsupported("the kernel's variables are not in reach of user space");
      case ebpf::Imm64Kind::kCode:
        return unsupported("the address of code is for the kernel's helpers");
    }
    return {};
  }

  Status translate(const ebpf::LoadPacket& load) {
    if (load.width == ebpf::Width::kDw) {
      return refuse("a legacy packet load is of 1, 2 or 4 bytes");
    }
    if (!options_.legacy_packet_access) {
      return unsupported("a legacy packet load, and the machine has no packet for it");
    }
    set_handler(handler::kPacket);
    op_.packet = {.offset = static_cast<std::uint32_t>(load.imm),
                  .bytes = static_cast<std::uint8_t>(load.width),
                  .indirect = load.indirect};
    return set_src(load.index);
  }

  Status translate(const ebpf::Jump& jump) {
    const std::size_t to = target(jump.offset);
    if (to == kNone) {
      return refuse("the jump leads to no instruction");
    }
    set_handler(handler::jump(jump.op, jump.is64, is_register(jump.src)));
    op_.jump = {.imm = 0, .target = distance(to)};
    if (to <= index_) {
      op_.jump.target = via_back(to);
    }
    if (jump.op == ebpf::JumpOp::kJa) {
      return {};
    }
    if (const Reg* reg = std::get_if<Reg>(&jump.src)) {
      return all(set_base(jump.dst), set_src(*reg));
    }
    op_.jump.imm = std::get<std::int32_t>(jump.src);
    return set_base(jump.dst);
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

  Status translate(const ebpf::Call& call) {
    switch (call.kind) {
      case ebpf::CallKind::kHelper: {
        const auto helper = std::find_if(code_.helpers.begin(), code_.helpers.end(),
                                         [&](const Helper& one) { return one.number == call.imm; });
        if (helper == code_.helpers.end()) {
          return unsupported(fmt::format("no helper has number {}", call.imm));
        }
        set_handler(handler::kCallHelper);
        op_.helper = &*helper;
        return {};
      }
      case ebpf::CallKind::kLocal: {
        const std::size_t to = target(call.imm);
        if (to == kNone) {
          return refuse("the call leads to no instruction");
        }
        set_handler(handler::kCallLocal);
        op_.jump = {.imm = 0, .target = distance(to)};
        return {};
      }
      case ebpf::CallKind::kKfunc:
        return unsupported("the kernel's functions are not in reach of user space");
    }
    return {};
  }

  Status translate(const ebpf::Exit&) {
    set_handler(calls_ ? handler::kReturn : handler::kExit);
    return {};
  }

  // How far below r10 a run may reach. Where r10 is only the base of loads and stores it is what
  // they reach; a frame where it goes elsewhere.
  std::size_t stack_bytes() const {
    if (calls_) {
      return kFrameBytes;
    }
    std::int64_t lowest = 0;
    for (const Instruction& instruction : program_.instructions) {
      const std::optional<std::int64_t> reach = reach_below_frame(instruction);
      if (!reach) {
        return kFrameBytes;
      }
      lowest = std::min(lowest, *reach);
    }
    const auto bytes = static_cast<std::size_t>((-lowest + 7) / 8 * 8);
    return std::min(bytes, kFrameBytes);
  }

  // The lowest offset from r10 an instruction touches, 0 for none; nothing when r10 is copied.
  static std::optional<std::int64_t> reach_below_frame(const Instruction& instruction) {
    const auto is_frame = [](const Operand& operand) { return operand == Operand(Reg::kR10); };
    if (const auto* alu = std::get_if<ebpf::Alu>(&instruction)) {
      return is_frame(alu->src) ? std::nullopt : std::optional<std::int64_t>(0);
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

  const ebpf::Program& program_;
  Code& code_;
  const LoadOptions& options_;
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
  if (Status status = Translator(program, *code, options).run(); !status) {
    return tl::make_unexpected(std::move(status.error()));
  }
  return code;
}

}  // namespace weir::vm
