#include "translator/jit/aarch64/packet_tests.h"

#include <algorithm>
#include <bit>

namespace weir::jit::aarch64 {
namespace {

using ebpf::JumpOp;
using ebpf::PacketOp;
using ebpf::PacketOpKind;

// More numbers than these do not compete for a register; there are few, and forms can be long.
constexpr std::size_t kMostCandidates = 64;

// Whether a compare or a difference has no form with the number in it.
bool is_long(std::uint32_t number) {
  const std::uint32_t negative = 0U - number;
  return !fits_arith(number) && !fits_arith(negative);
}

std::uint32_t all_of(const PacketOp& op) {
  const auto bytes = static_cast<unsigned>(op.width);
  return bytes == 4 ? 0xffffffff : (1U << 8 * bytes) - 1;
}

// Of a test that asks whether some bits are set: those. Nothing of others.
std::optional<std::uint32_t> asked_bits(const PacketOp& op) {
  const std::uint32_t mask = op.mask & all_of(op);
  if (op.op == JumpOp::kSet) {
    return mask & op.value;
  }
  const bool with_zero = op.value == 0 && (op.op == JumpOp::kEq || op.op == JumpOp::kNe);
  return with_zero && mask != all_of(op) ? std::optional(mask) : std::nullopt;
}

}  // namespace

Mem PacketTests::address(const PacketOp& op) {
  if (!op.from_start) {
    return {gp(*op.base), op.offset};
  }
  if (!op.base) {
    return {at_.start, op.offset};
  }
  a_.arith(Arith::kAdd, Size::k64, kAddress, at_.start, gp(*op.base));
  return {kAddress, op.offset};
}

void PacketTests::load(const PacketOp& op, bool sign_extend, Gp dst) {
  if (op.from_start && op.base && op.offset == 0) {
    a_.load_indexed(extend_of(op.width, sign_extend), dst, at_.start, gp(*op.base));
  } else {
    emit_load(a_, extend_of(op.width, sign_extend), dst, address(op));
  }
}

std::vector<std::uint32_t> PacketTests::wanted_numbers() const {
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

std::optional<std::uint32_t> PacketTests::compared_number(const PacketOp& op) const {
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

void PacketTests::compare32(Gp reg, std::uint32_t number) {
  if (is_long(number)) {
    a_.cmp(Size::k32, reg, in_register(number, kNumber));
  } else {
    emit_compare_with(a_, Size::k32, reg, static_cast<std::int32_t>(number));
  }
}

void PacketTests::emit_compare_jump(const PacketOp& op, Label target) {
  const auto& jump = instruction<ebpf::Jump>(op);
  const std::optional<std::uint32_t> number = compared_number(op);
  if (number && is_long(*number)) {
    compare32(gp(jump.dst), *number);
    a_.jump_if(condition_of(jump.op), target);
  } else {
    emit_jump(a_, jump, target);
  }
}

void PacketTests::load_masked(const PacketOp& op, Gp dst) {
  load(op, false, dst);
  if ((op.mask & all_of(op)) != all_of(op)) {
    emit_and32(a_, dst, dst, op.mask & all_of(op));
  }
}

void PacketTests::emit_test_jump(const PacketOp& op, Label target) {
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

Condition PacketTests::ask(const PacketOp& op) {
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

bool PacketTests::has_number(const PacketOp& op) const {
  if (op.kind == PacketOpKind::kTest) {
    return op.op == JumpOp::kNe || op.op == JumpOp::kSet;
  }
  if (op.kind != PacketOpKind::kCompare) {
    return false;
  }
  const auto& jump = instruction<ebpf::Jump>(op);
  return !jump.is64 && jump.op == JumpOp::kNe && std::holds_alternative<std::int32_t>(jump.src);
}

void PacketTests::number_of(const PacketOp& op, Gp dst) {
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

void PacketTests::emit_difference(Gp dst, Gp src, std::uint32_t number) {
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

}  // namespace weir::jit::aarch64
