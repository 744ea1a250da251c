#include "translator/userspace/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace weir::ebpf {
namespace {

class Checker {
 public:
  Checker(const Program& program, std::span<const Helper> helpers, bool legacy_packet_access)
      : program_(program), helpers_(helpers), legacy_packet_access_(legacy_packet_access) {}

  Status run() {
    const std::vector<Instruction>& all = program_.instructions;
    if (all.empty()) {
      return fail(ErrorCode::kInvalidProgram, "the program is empty");
    }
    begins_.reserve(all.size() + 8);
    for (const Instruction& instruction : all) {
      begins_.push_back(1);
      if (slots(instruction) == 2) {
        begins_.push_back(0);
      }
    }
    for (index_ = 0; index_ < all.size(); ++index_) {
      const auto one = [this](const auto& instruction) { return check_one(instruction); };
      if (Status status = std::visit(one, all[index_]); !status) {
        return status;
      }
      slot_ += slots(all[index_]);
    }
    --index_;
    const auto* last = std::get_if<Jump>(&all.back());
    const bool leaves =
        std::holds_alternative<Exit>(all.back()) || (last != nullptr && last->op == JumpOp::kJa);
    return leaves ? Status{} : refuse("the program runs off its end");
  }

 private:
  tl::unexpected<Error> refuse(std::string message,
                               ErrorCode code = ErrorCode::kInvalidProgram) const {
    return fail(code, std::move(message), {.instruction = static_cast<std::uint32_t>(index_)});
  }
  tl::unexpected<Error> unsupported(std::string message) const {
    return refuse(std::move(message), ErrorCode::kUnsupported);
  }

  // Whether an instruction begins `distance` slots behind the one in hand.
  bool leads_somewhere(std::int64_t distance) const {
    const std::int64_t slot = static_cast<std::int64_t>(slot_) + 1 + distance;
    return slot >= 0 && slot < static_cast<std::int64_t>(begins_.size()) &&
           begins_[static_cast<std::size_t>(slot)] != 0;
  }

  Status check_register(Reg reg) const {
    if (reg > Reg::kR10) {
      return refuse(fmt::format("no register r{}", static_cast<int>(reg)));
    }
    return {};
  }
  Status check_written(Reg reg) const {
    if (reg == Reg::kR10) {
      return refuse("r10 is read-only");
    }
    return check_register(reg);
  }
  Status check_operand(const Operand& operand) const {
    const Reg* reg = std::get_if<Reg>(&operand);
    return reg != nullptr ? check_register(*reg) : Status{};
  }
  static Status all(Status first, Status second) {
    return first ? std::move(second) : std::move(first);
  }
  // The registers of nearly all instructions are right, and that is seen at a glance.
  static bool exists(Reg reg) { return reg <= Reg::kR10; }
  static bool exists(const Operand& operand) {
    const Reg* reg = std::get_if<Reg>(&operand);
    return reg == nullptr || exists(*reg);
  }
  Status check_written_and_read(Reg dst, const Operand& src) const {
    return dst < Reg::kR10 && exists(src) ? Status{} : all(check_written(dst), check_operand(src));
  }
  Status check_both_read(Reg dst, const Operand& src) const {
    return exists(dst) && exists(src) ? Status{} : all(check_register(dst), check_operand(src));
  }

  Status check_one(const Alu& alu) const {
    return check_written_and_read(alu.dst, alu.op == AluOp::kNeg ? Operand(0) : alu.src);
  }

  Status check_one(const Endian& endian) const {
    if (endian.bits != 16 && endian.bits != 32 && endian.bits != 64) {
      return refuse(fmt::format("a byte swap is of 16, 32 or 64 bits, not {}", endian.bits));
    }
    return check_written(endian.dst);
  }

  Status check_one(const Load& load) const { return check_written_and_read(load.dst, load.src); }

  Status check_one(const Store& store) const { return check_both_read(store.dst, store.src); }

  Status check_one(const Atomic& atomic) const {
    if (atomic.width != Width::kW && atomic.width != Width::kDw) {
      return refuse("an atomic operation is of 4 or 8 bytes");
    }
    const bool writes_src = atomic.op == AtomicOp::kExchange ||
                            (atomic.fetch && atomic.op != AtomicOp::kCompareExchange);
    return all(check_register(atomic.dst),
               writes_src ? check_written(atomic.src) : check_register(atomic.src));
  }

  Status check_one(const LoadImm64& load) const {
    switch (load.kind) {
      case Imm64Kind::kValue:
        return check_written(load.dst);
      case Imm64Kind::kMapValueIndex:
        return all(check_map(static_cast<std::uint32_t>(load.value)), check_written(load.dst));
      case Imm64Kind::kMapFd:
      case Imm64Kind::kMapValueFd:
      case Imm64Kind::kMapIndex:
        return unsupported("the kernel's maps are not in reach of user space");
      case Imm64Kind::kVariable:
        return unsupported("the kernel's variables are not in reach of user space");
      case Imm64Kind::kCode:
        return unsupported("the address of code is for the kernel's helpers");
    }
    return {};
  }

  Status check_map(std::uint32_t index) const {
    if (index >= program_.maps.size()) {
      return refuse(fmt::format("no map has index {}", index));
    }
    if (program_.maps[index].kind != MapKind::kReadOnlyData) {
      return unsupported(fmt::format("map {} is not read-only data, all there is in user space",
                                     program_.maps[index].name));
    }
    return {};
  }

  Status check_one(const LoadPacket& load) const {
    if (load.width == Width::kDw) {
      return refuse("a legacy packet load is of 1, 2 or 4 bytes");
    }
    if (!legacy_packet_access_) {
      return unsupported("a legacy packet load, and the machine has no packet for it");
    }
    return check_register(load.index);
  }

  Status check_one(const Jump& jump) const {
    if (!leads_somewhere(jump.offset)) {
      return refuse("the jump leads to no instruction");
    }
    return jump.op == JumpOp::kJa ? Status{} : check_both_read(jump.dst, jump.src);
  }

  Status check_one(const Call& call) const {
    switch (call.kind) {
      case CallKind::kHelper:
        if (std::none_of(helpers_.begin(), helpers_.end(),
                         [&call](const Helper& one) { return one.number == call.imm; })) {
          return unsupported(fmt::format("no helper has number {}", call.imm));
        }
        return {};
      case CallKind::kLocal:
        return leads_somewhere(call.imm) ? Status{} : refuse("the call leads to no instruction");
      case CallKind::kKfunc:
        return unsupported("the kernel's functions are not in reach of user space");
    }
    return {};
  }

  Status check_one(const Exit&) const { return {}; }

  const Program& program_;
  std::span<const Helper> helpers_;
  bool legacy_packet_access_;
  std::vector<std::uint8_t> begins_;  // By slot: 1 where an instruction does.
  std::size_t index_ = 0;             // The instruction in hand, and its slot.
  std::size_t slot_ = 0;
};

}  // namespace

Status check_for_user_space(const Program& program, std::span<const Helper> helpers,
                            bool legacy_packet_access) {
  return Checker(program, helpers, legacy_packet_access).run();
}

namespace {

// The lowest offset from r10 an instruction touches, 0 for none; nothing when r10 is copied.
std::optional<std::int64_t> reach_below_frame(const Instruction& instruction) {
  const auto is_frame = [](const Operand& operand) { return operand == Operand(Reg::kR10); };
  if (const auto* alu = std::get_if<Alu>(&instruction)) {
    return is_frame(alu->src) ? std::nullopt : std::optional<std::int64_t>(0);
  }
  if (const auto* load = std::get_if<Load>(&instruction)) {
    return load->src == Reg::kR10 ? load->offset : 0;
  }
  if (const auto* store = std::get_if<Store>(&instruction)) {
    if (is_frame(store->src)) {
      return std::nullopt;
    }
    return store->dst == Reg::kR10 ? store->offset : 0;
  }
  if (const auto* atomic = std::get_if<Atomic>(&instruction)) {
    if (atomic->src == Reg::kR10) {
      return std::nullopt;
    }
    return atomic->dst == Reg::kR10 ? atomic->offset : 0;
  }
  const auto* call = std::get_if<Call>(&instruction);
  return call != nullptr && call->kind == CallKind::kLocal ? std::nullopt
                                                           : std::optional<std::int64_t>(0);
}

}  // namespace

std::size_t stack_bytes(const Program& program) {
  std::int64_t lowest = 0;
  for (const Instruction& instruction : program.instructions) {
    const std::optional<std::int64_t> reach = reach_below_frame(instruction);
    if (!reach) {
      return kFrameBytes;
    }
    lowest = std::min(lowest, *reach);
  }
  return std::min(static_cast<std::size_t>((-lowest + 7) / 8 * 8), kFrameBytes);
}

}  // namespace weir::ebpf
