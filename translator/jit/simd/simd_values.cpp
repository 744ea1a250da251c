#include "translator/jit/simd/simd_values.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::jit {
namespace {

using ebpf::JumpOp;

constexpr std::uint32_t all_of(std::uint8_t width) {
  return width == 4 ? SimdValues::kAll : (1U << 8 * width) - 1;
}

constexpr std::uint32_t swapped(std::uint32_t value, std::uint8_t width) {
  return __builtin_bswap32(value) >> 8 * (4 - width);
}

constexpr int kMostLooks = 256;

constexpr bool commutes(SimdOp op) {
  return op != SimdOp::kSub && op != SimdOp::kAndNot && op != SimdOp::kGreater;
}

constexpr std::uint32_t mask_of(bool holds) { return holds ? SimdValues::kAll : 0; }

// Of an operation with two operands.
std::optional<std::uint32_t> computed(SimdOp op, std::uint32_t a, std::uint32_t b) {
  switch (op) {
    case SimdOp::kAnd:
      return a & b;
    case SimdOp::kAndNot:
      return ~a & b;
    case SimdOp::kOr:
      return a | b;
    case SimdOp::kXor:
      return a ^ b;
    case SimdOp::kAdd:
      return a + b;
    case SimdOp::kSub:
      return a - b;
    case SimdOp::kMul:
      return a * b;
    case SimdOp::kMin:
      return std::min(a, b);
    case SimdOp::kMax:
      return std::max(a, b);
    case SimdOp::kEqual:
      return mask_of(a == b);
    case SimdOp::kGreater:
      return mask_of(static_cast<std::int32_t>(a) > static_cast<std::int32_t>(b));
    case SimdOp::kConst:
    case SimdOp::kCaptured:
    case SimdOp::kLength:
    case SimdOp::kShared:
    case SimdOp::kField:
    case SimdOp::kGather:
    case SimdOp::kPart:
    case SimdOp::kPick:
    case SimdOp::kIs:
    case SimdOp::kShl:
    case SimdOp::kShr:
    case SimdOp::kSar:
    case SimdOp::kSwap:
    case SimdOp::kChoose:
      break;
  }
  return std::nullopt;
}

}  // namespace

SimdValues::SimdValues() {
  constant(0);
  constant(kAll);
}

// Looks from the end, where the equal one mostly is.
SimdId SimdValues::add(const SimdValue& value, std::uint32_t most) {
  const auto found = std::find(values_.rbegin(), values_.rend(), value);
  if (found != values_.rend()) {
    return static_cast<SimdId>(values_.rend() - found) - 1;
  }
  values_.push_back(value);
  most_.push_back(most);
  return static_cast<SimdId>(values_.size()) - 1;
}

SimdId SimdValues::constant(std::uint32_t value) {
  return add({.op = SimdOp::kConst, .imm = value}, value);
}

SimdId SimdValues::leaf(SimdOp op, std::uint32_t imm) {
  return add({.op = op, .imm = imm}, op == SimdOp::kCaptured ? kMostSigned : kAll);
}

SimdId SimdValues::field(std::uint32_t offset, std::uint8_t width) {
  return add({.op = SimdOp::kField, .width = width, .imm = offset}, kAll);
}

SimdId SimdValues::gather(SimdId address, std::int32_t offset, std::uint8_t width, SimdId mask) {
  for (SimdId id = 0; id < values_.size(); ++id) {
    const SimdValue& one = values_[id];
    int looks = kMostLooks;
    const std::int64_t at = std::int64_t{offset} - static_cast<std::int32_t>(one.imm);
    if (one.op == SimdOp::kGather && one.width == 4 && one.a == address && at >= 0 &&
        at + width <= 4 && implies(mask, one.b, looks)) {
      return part(id, static_cast<std::uint32_t>(at), width);
    }
  }
  int looks = kMostLooks;
  const bool wide = has_bytes(mask, address, std::int64_t{offset} + 4, looks);
  const SimdId bytes = add({.op = SimdOp::kGather,
                            .width = wide ? std::uint8_t{4} : width,
                            .rare = ends_early(mask),
                            .a = address,
                            .b = mask,
                            .imm = static_cast<std::uint32_t>(offset)},
                           kAll);
  return wide ? part(bytes, 0, width) : bytes;
}

SimdId SimdValues::part(SimdId bytes, std::uint32_t at, std::uint8_t width) {
  return width == 4 ? bytes
                    : add({.op = SimdOp::kPart, .width = width, .a = bytes, .imm = at}, kAll);
}

// The ways through a mask can be many more than its values, so each of these looks so many times
// and then says no.
//
// Whether all packets of the mask are seen to be in the other too.
bool SimdValues::implies(SimdId mask, SimdId other, int& looks) const {
  if (--looks < 0) {
    return false;
  }
  const SimdValue& one = values_[mask];
  return mask == other ||
         (one.op == SimdOp::kAnd &&
          (implies(one.a, other, looks) || implies(one.b, other, looks))) ||
         (one.op == SimdOp::kAndNot && implies(one.b, other, looks)) ||
         (one.op == SimdOp::kOr && implies(one.a, other, looks) && implies(one.b, other, looks));
}

// Whether the packets of the mask are seen to have all bytes before address + behind.
bool SimdValues::has_bytes(SimdId mask, SimdId address, std::int64_t behind, int& looks) const {
  if (--looks < 0) {
    return false;
  }
  const SimdValue& one = values_[mask];
  if (one.op == SimdOp::kAnd || one.op == SimdOp::kOr) {
    const bool a = has_bytes(one.a, address, behind, looks);
    const bool b = has_bytes(one.b, address, behind, looks);
    return one.op == SimdOp::kAnd ? a || b : a && b;
  }
  if (one.op != SimdOp::kAndNot) {
    return false;
  }
  if (has_bytes(one.b, address, behind, looks)) {
    return true;
  }
  // Not (end > captured).
  const SimdValue& check = values_[one.a];
  if (check.op != SimdOp::kGreater || values_[check.b].op != SimdOp::kCaptured) {
    return false;
  }
  const SimdValue& end = values_[check.a];
  if (check.a == address) {
    return behind <= 0;
  }
  const std::optional<std::uint32_t> left = known(end.a);
  const std::optional<std::uint32_t> right = known(end.b);
  return end.op == SimdOp::kAdd &&
         ((right && end.a == address && behind <= static_cast<std::int32_t>(*right)) ||
          (left && end.b == address && behind <= static_cast<std::int32_t>(*left)));
}

bool SimdValues::ends_early(SimdId mask, int& looks) const {
  if (--looks < 0) {
    return false;
  }
  const SimdValue& one = values_[mask];
  return (one.op == SimdOp::kGreater && values_[one.b].op == SimdOp::kCaptured) ||
         (one.op == SimdOp::kAnd && (ends_early(one.a, looks) || ends_early(one.b, looks))) ||
         (one.op == SimdOp::kAndNot && ends_early(one.b, looks));
}

bool SimdValues::ends_early(SimdId mask) const {
  int looks = kMostLooks;
  return ends_early(mask, looks);
}

SimdId SimdValues::pick(SimdId field, bool is_swapped) {
  const std::uint8_t width = values_[field].width;
  return add({.op = SimdOp::kPick, .swapped = is_swapped && width > 1, .a = field}, all_of(width));
}

std::optional<std::uint32_t> SimdValues::known(SimdId id) const {
  const SimdValue& value = values_[id];
  return value.op == SimdOp::kConst ? std::optional(value.imm) : std::nullopt;
}

SimdId SimdValues::binary(SimdOp op, SimdId a, SimdId b) {
  if (commutes(op) && a > b) {
    std::swap(a, b);
  }
  if (known(a) && known(b)) {
    return constant(*computed(op, *known(a), *known(b)));
  }
  const bool zero_a = a == zero();
  const bool zero_b = b == zero();
  if (op == SimdOp::kOr) {
    return either(a, b);
  }
  if ((op == SimdOp::kAnd && (zero_a || zero_b)) ||
      (op == SimdOp::kAndNot && (a == all() || zero_b || a == b))) {
    return zero();
  }
  if (((op == SimdOp::kAnd && a == all()) || (op == SimdOp::kAdd && zero_a) ||
       (op == SimdOp::kXor && zero_a) || (op == SimdOp::kAndNot && zero_a))) {
    return b;
  }
  if ((op == SimdOp::kAnd && (b == all() || a == b)) ||
      (zero_b && (op == SimdOp::kAdd || op == SimdOp::kSub || op == SimdOp::kXor))) {
    return a;
  }
  // What is in one of two masks, and in or not in one of them.
  if (values_[b].op == SimdOp::kOr && (op == SimdOp::kAnd || op == SimdOp::kAndNot)) {
    const SimdValue either_of = values_[b];
    if (either_of.a == a || either_of.b == a) {
      return op == SimdOp::kAnd ? a : binary(op, a, either_of.a == a ? either_of.b : either_of.a);
    }
  }
  return add({.op = op, .a = a, .b = b}, most_of(op, a, b));
}

SimdId SimdValues::either(SimdId a, SimdId b) {
  if (a == zero() || a == b || b == all()) {
    return b;
  }
  if (b == zero() || a == all()) {
    return a;
  }
  // Where two ways that parted meet again, all are there that were before.
  if (splits(a, b)) {
    return values_[b].b;
  }
  if (splits(b, a)) {
    return values_[a].b;
  }
  if (values_[b].op == SimdOp::kAndNot && values_[b].a == a && values_[b].b == all()) {
    return all();
  }
  return add({.op = SimdOp::kOr, .a = a, .b = b}, most_of(SimdOp::kOr, a, b));
}

// Whether a is x & m, and b is ~x & m.
bool SimdValues::splits(SimdId a, SimdId b) const {
  const SimdValue& both = values_[a];
  const SimdValue& without = values_[b];
  return both.op == SimdOp::kAnd && without.op == SimdOp::kAndNot &&
         ((both.a == without.a && both.b == without.b) ||
          (both.b == without.a && both.a == without.b));
}

std::uint32_t SimdValues::most_of(SimdOp op, SimdId a, SimdId b) const {
  const std::uint64_t sum = std::uint64_t{most_[a]} + most_[b];
  switch (op) {
    case SimdOp::kAnd:
    case SimdOp::kMin:
      return std::min(most_[a], most_[b]);
    case SimdOp::kAndNot:
      return most_[b];
    case SimdOp::kMax:
      return std::max(most_[a], most_[b]);
    case SimdOp::kAdd:
    case SimdOp::kOr:  // No carry makes it more than the sum.
    case SimdOp::kXor:
      return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, kAll));
    case SimdOp::kConst:
    case SimdOp::kCaptured:
    case SimdOp::kLength:
    case SimdOp::kShared:
    case SimdOp::kField:
    case SimdOp::kGather:
    case SimdOp::kPart:
    case SimdOp::kPick:
    case SimdOp::kIs:
    case SimdOp::kSub:
    case SimdOp::kMul:
    case SimdOp::kEqual:
    case SimdOp::kGreater:
    case SimdOp::kShl:
    case SimdOp::kShr:
    case SimdOp::kSar:
    case SimdOp::kSwap:
    case SimdOp::kChoose:
      break;
  }
  return kAll;
}

SimdId SimdValues::shift(SimdOp op, SimdId a, std::uint32_t count) {
  if (count == 0) {
    return a;
  }
  std::uint64_t most = kAll;
  if (op == SimdOp::kShl) {
    most = std::min<std::uint64_t>(std::uint64_t{most_[a]} << count, kAll);
  } else if (op == SimdOp::kShr || most_[a] <= kMostSigned) {
    most = most_[a] >> count;
  }
  return add({.op = op, .a = a, .imm = count}, static_cast<std::uint32_t>(most));
}

SimdId SimdValues::swap(SimdId a, std::uint8_t width) {
  return add({.op = SimdOp::kSwap, .width = width, .a = a}, all_of(width));
}

SimdId SimdValues::choose(SimdId mask, SimdId yes, SimdId no) {
  if (yes == no || mask == all()) {
    return yes;
  }
  if (mask == zero()) {
    return no;
  }
  return add({.op = SimdOp::kChoose, .a = mask, .b = yes, .c = no},
             std::max(most_[yes], most_[no]));
}

// A number that is bytes of the packet, or some bits of them, is compared where the bytes are.
SimdId SimdValues::equals(SimdId a, std::uint32_t value) {
  std::uint32_t mask = kAll;
  SimdId number = a;
  if (values_[a].op == SimdOp::kAnd) {
    const std::optional<std::uint32_t> left = known(values_[a].a);
    const std::optional<std::uint32_t> right = known(values_[a].b);
    if (left || right) {
      mask = left ? *left : *right;
      number = left ? values_[a].b : values_[a].a;
    }
  }
  const SimdValue picked = values_[number];
  if (picked.op != SimdOp::kPick) {
    return binary(SimdOp::kEqual, a, constant(value));
  }
  const std::uint8_t width = values_[picked.a].width;
  mask &= all_of(width);
  if ((value & ~mask) != 0) {
    return zero();
  }
  if (picked.swapped) {
    mask = swapped(mask, width);
    value = swapped(value, width);
  }
  return mask == 0 ? all()
                   : add({.op = SimdOp::kIs, .a = picked.a, .imm = value, .mask = mask}, kAll);
}

SimdCondition SimdValues::compare(JumpOp op, SimdId a, SimdId b) {
  // Without sign the processor compares only through the lesser and the greater of two.
  const bool small = most_[a] <= kMostSigned && most_[b] <= kMostSigned;
  switch (op) {
    case JumpOp::kEq:
    case JumpOp::kNe: {
      const bool negated = op == JumpOp::kNe;
      if (known(b)) {
        return {equals(a, *known(b)), negated};
      }
      return {binary(SimdOp::kEqual, a, b), negated};
    }
    case JumpOp::kSet:
      return {equals(binary(SimdOp::kAnd, a, b), 0), true};
    case JumpOp::kGt:
      return small ? SimdCondition{binary(SimdOp::kGreater, a, b), false}
                   : SimdCondition{binary(SimdOp::kEqual, binary(SimdOp::kMin, a, b), a), true};
    case JumpOp::kGe:
      return small ? SimdCondition{binary(SimdOp::kGreater, b, a), true}
                   : SimdCondition{binary(SimdOp::kEqual, binary(SimdOp::kMax, a, b), a), false};
    case JumpOp::kLt:
      return compare(JumpOp::kGt, b, a);
    case JumpOp::kLe:
      return compare(JumpOp::kGe, b, a);
    case JumpOp::kSGt:
      return {binary(SimdOp::kGreater, a, b), false};
    case JumpOp::kSGe:
      return {binary(SimdOp::kGreater, b, a), true};
    case JumpOp::kSLt:
      return {binary(SimdOp::kGreater, b, a), false};
    case JumpOp::kSLe:
      return {binary(SimdOp::kGreater, a, b), true};
    case JumpOp::kJa:
      break;
  }
  return {all(), false};
}

SimdCondition SimdValues::test(JumpOp op, SimdId field, std::uint32_t mask, std::uint32_t value) {
  const SimdId number =
      binary(SimdOp::kAnd, pick(field, false), constant(mask | ~all_of(values_[field].width)));
  return compare(op, number, constant(value));
}

SimdId SimdValues::where(SimdId mask, SimdCondition condition) {
  return binary(condition.negated ? SimdOp::kAndNot : SimdOp::kAnd, condition.mask, mask);
}

SimdId SimdValues::where_not(SimdId mask, SimdCondition condition) {
  return where(mask, {condition.mask, !condition.negated});
}

}  // namespace weir::jit
