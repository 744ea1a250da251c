#include "translator/jit/simd/simd_values.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace weir::jit {
namespace {

using ebpf::JumpOp;

constexpr std::uint32_t all_of(std::uint8_t width) {
  return width == 4 ? LaneValues::kAll : (1U << 8 * width) - 1;
}

constexpr std::uint32_t swapped(std::uint32_t value, std::uint8_t width) {
  return __builtin_bswap32(value) >> 8 * (4 - width);
}

constexpr int kMostLooks = 256;

constexpr bool commutes(LaneOp op) {
  return op != LaneOp::kSub && op != LaneOp::kAndNot && op != LaneOp::kGreater;
}

constexpr std::uint32_t mask_of(bool holds) { return holds ? LaneValues::kAll : 0; }

// Of an operation with two operands.
std::optional<std::uint32_t> computed(LaneOp op, std::uint32_t a, std::uint32_t b) {
  switch (op) {
    case LaneOp::kAnd:
      return a & b;
    case LaneOp::kAndNot:
      return ~a & b;
    case LaneOp::kOr:
      return a | b;
    case LaneOp::kXor:
      return a ^ b;
    case LaneOp::kAdd:
      return a + b;
    case LaneOp::kSub:
      return a - b;
    case LaneOp::kMul:
      return a * b;
    case LaneOp::kMin:
      return std::min(a, b);
    case LaneOp::kMax:
      return std::max(a, b);
    case LaneOp::kEqual:
      return mask_of(a == b);
    case LaneOp::kGreater:
      return mask_of(static_cast<std::int32_t>(a) > static_cast<std::int32_t>(b));
    case LaneOp::kConst:
    case LaneOp::kCaptured:
    case LaneOp::kLength:
    case LaneOp::kShared:
    case LaneOp::kField:
    case LaneOp::kGather:
    case LaneOp::kPart:
    case LaneOp::kPick:
    case LaneOp::kIs:
    case LaneOp::kShl:
    case LaneOp::kShr:
    case LaneOp::kSar:
    case LaneOp::kSwap:
    case LaneOp::kChoose:
      break;
  }
  return std::nullopt;
}

}  // namespace

LaneValues::LaneValues() {
  constant(0);
  constant(kAll);
}

// Looks from the end, where the equal one mostly is.
LaneId LaneValues::add(const LaneValue& value, std::uint32_t most) {
  const auto found = std::find(values_.rbegin(), values_.rend(), value);
  if (found != values_.rend()) {
    return static_cast<LaneId>(values_.rend() - found) - 1;
  }
  values_.push_back(value);
  most_.push_back(most);
  return static_cast<LaneId>(values_.size()) - 1;
}

LaneId LaneValues::constant(std::uint32_t value) {
  return add({.op = LaneOp::kConst, .imm = value}, value);
}

LaneId LaneValues::leaf(LaneOp op, std::uint32_t imm) {
  return add({.op = op, .imm = imm}, op == LaneOp::kCaptured ? kMostSigned : kAll);
}

LaneId LaneValues::field(std::uint32_t offset, std::uint8_t width) {
  return add({.op = LaneOp::kField, .width = width, .imm = offset}, kAll);
}

LaneId LaneValues::gather(LaneId address, std::int32_t offset, std::uint8_t width, LaneId mask) {
  for (LaneId id = 0; id < values_.size(); ++id) {
    const LaneValue& one = values_[id];
    int looks = kMostLooks;
    const std::int64_t at = std::int64_t{offset} - static_cast<std::int32_t>(one.imm);
    if (one.op == LaneOp::kGather && one.width == 4 && one.a == address && at >= 0 &&
        at + width <= 4 && implies(mask, one.b, looks)) {
      return part(id, static_cast<std::uint32_t>(at), width);
    }
  }
  int looks = kMostLooks;
  const bool wide = has_bytes(mask, address, std::int64_t{offset} + 4, looks);
  const LaneId bytes = add({.op = LaneOp::kGather,
                            .width = wide ? std::uint8_t{4} : width,
                            .rare = ends_early(mask),
                            .a = address,
                            .b = mask,
                            .imm = static_cast<std::uint32_t>(offset)},
                           kAll);
  return wide ? part(bytes, 0, width) : bytes;
}

LaneId LaneValues::part(LaneId bytes, std::uint32_t at, std::uint8_t width) {
  return width == 4 ? bytes
                    : add({.op = LaneOp::kPart, .width = width, .a = bytes, .imm = at}, kAll);
}

// The ways through a mask can be many more than its values, so each of these looks so many times
// and then says no.
//
// Whether all packets of the mask are seen to be in the other too.
bool LaneValues::implies(LaneId mask, LaneId other, int& looks) const {
  if (--looks < 0) {
    return false;
  }
  const LaneValue& one = values_[mask];
  return mask == other ||
         (one.op == LaneOp::kAnd &&
          (implies(one.a, other, looks) || implies(one.b, other, looks))) ||
         (one.op == LaneOp::kAndNot && implies(one.b, other, looks)) ||
         (one.op == LaneOp::kOr && implies(one.a, other, looks) && implies(one.b, other, looks));
}

// Whether the packets of the mask are seen to have all bytes before address + behind.
bool LaneValues::has_bytes(LaneId mask, LaneId address, std::int64_t behind, int& looks) const {
  if (--looks < 0) {
    return false;
  }
  const LaneValue& one = values_[mask];
  if (one.op == LaneOp::kAnd || one.op == LaneOp::kOr) {
    const bool a = has_bytes(one.a, address, behind, looks);
    const bool b = has_bytes(one.b, address, behind, looks);
    return one.op == LaneOp::kAnd ? a || b : a && b;
  }
  if (one.op != LaneOp::kAndNot) {
    return false;
  }
  if (has_bytes(one.b, address, behind, looks)) {
    return true;
  }
  // Not (end > captured).
  const LaneValue& check = values_[one.a];
  if (check.op != LaneOp::kGreater || values_[check.b].op != LaneOp::kCaptured) {
    return false;
  }
  const LaneValue& end = values_[check.a];
  if (check.a == address) {
    return behind <= 0;
  }
  const std::optional<std::uint32_t> left = known(end.a);
  const std::optional<std::uint32_t> right = known(end.b);
  return end.op == LaneOp::kAdd &&
         ((right && end.a == address && behind <= static_cast<std::int32_t>(*right)) ||
          (left && end.b == address && behind <= static_cast<std::int32_t>(*left)));
}

bool LaneValues::ends_early(LaneId mask, int& looks) const {
  if (--looks < 0) {
    return false;
  }
  const LaneValue& one = values_[mask];
  return (one.op == LaneOp::kGreater && values_[one.b].op == LaneOp::kCaptured) ||
         (one.op == LaneOp::kAnd && (ends_early(one.a, looks) || ends_early(one.b, looks))) ||
         (one.op == LaneOp::kAndNot && ends_early(one.b, looks));
}

bool LaneValues::ends_early(LaneId mask) const {
  int looks = kMostLooks;
  return ends_early(mask, looks);
}

LaneId LaneValues::pick(LaneId field, bool is_swapped) {
  const std::uint8_t width = values_[field].width;
  return add({.op = LaneOp::kPick, .swapped = is_swapped && width > 1, .a = field}, all_of(width));
}

std::optional<std::uint32_t> LaneValues::known(LaneId id) const {
  const LaneValue& value = values_[id];
  return value.op == LaneOp::kConst ? std::optional(value.imm) : std::nullopt;
}

LaneId LaneValues::binary(LaneOp op, LaneId a, LaneId b) {
  if (commutes(op) && a > b) {
    std::swap(a, b);
  }
  if (known(a) && known(b)) {
    return constant(*computed(op, *known(a), *known(b)));
  }
  const bool zero_a = a == zero();
  const bool zero_b = b == zero();
  if (op == LaneOp::kOr) {
    return either(a, b);
  }
  if ((op == LaneOp::kAnd && (zero_a || zero_b)) ||
      (op == LaneOp::kAndNot && (a == all() || zero_b || a == b))) {
    return zero();
  }
  if (((op == LaneOp::kAnd && a == all()) || (op == LaneOp::kAdd && zero_a) ||
       (op == LaneOp::kXor && zero_a) || (op == LaneOp::kAndNot && zero_a))) {
    return b;
  }
  if ((op == LaneOp::kAnd && (b == all() || a == b)) ||
      (zero_b && (op == LaneOp::kAdd || op == LaneOp::kSub || op == LaneOp::kXor))) {
    return a;
  }
  // What is in one of two masks, and in or not in one of them.
  if (values_[b].op == LaneOp::kOr && (op == LaneOp::kAnd || op == LaneOp::kAndNot)) {
    const LaneValue either_of = values_[b];
    if (either_of.a == a || either_of.b == a) {
      return op == LaneOp::kAnd ? a : binary(op, a, either_of.a == a ? either_of.b : either_of.a);
    }
  }
  return add({.op = op, .a = a, .b = b}, most_of(op, a, b));
}

LaneId LaneValues::either(LaneId a, LaneId b) {
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
  if (values_[b].op == LaneOp::kAndNot && values_[b].a == a && values_[b].b == all()) {
    return all();
  }
  return add({.op = LaneOp::kOr, .a = a, .b = b}, most_of(LaneOp::kOr, a, b));
}

// Whether a is x & m, and b is ~x & m.
bool LaneValues::splits(LaneId a, LaneId b) const {
  const LaneValue& both = values_[a];
  const LaneValue& without = values_[b];
  return both.op == LaneOp::kAnd && without.op == LaneOp::kAndNot &&
         ((both.a == without.a && both.b == without.b) ||
          (both.b == without.a && both.a == without.b));
}

std::uint32_t LaneValues::most_of(LaneOp op, LaneId a, LaneId b) const {
  const std::uint64_t sum = std::uint64_t{most_[a]} + most_[b];
  switch (op) {
    case LaneOp::kAnd:
    case LaneOp::kMin:
      return std::min(most_[a], most_[b]);
    case LaneOp::kAndNot:
      return most_[b];
    case LaneOp::kMax:
      return std::max(most_[a], most_[b]);
    case LaneOp::kAdd:
    case LaneOp::kOr:  // No carry makes it more than the sum.
    case LaneOp::kXor:
      return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, kAll));
    case LaneOp::kConst:
    case LaneOp::kCaptured:
    case LaneOp::kLength:
    case LaneOp::kShared:
    case LaneOp::kField:
    case LaneOp::kGather:
    case LaneOp::kPart:
    case LaneOp::kPick:
    case LaneOp::kIs:
    case LaneOp::kSub:
    case LaneOp::kMul:
    case LaneOp::kEqual:
    case LaneOp::kGreater:
    case LaneOp::kShl:
    case LaneOp::kShr:
    case LaneOp::kSar:
    case LaneOp::kSwap:
    case LaneOp::kChoose:
      break;
  }
  return kAll;
}

LaneId LaneValues::shift(LaneOp op, LaneId a, std::uint32_t count) {
  if (count == 0) {
    return a;
  }
  std::uint64_t most = kAll;
  if (op == LaneOp::kShl) {
    most = std::min<std::uint64_t>(std::uint64_t{most_[a]} << count, kAll);
  } else if (op == LaneOp::kShr || most_[a] <= kMostSigned) {
    most = most_[a] >> count;
  }
  return add({.op = op, .a = a, .imm = count}, static_cast<std::uint32_t>(most));
}

LaneId LaneValues::swap(LaneId a, std::uint8_t width) {
  return add({.op = LaneOp::kSwap, .width = width, .a = a}, all_of(width));
}

LaneId LaneValues::choose(LaneId mask, LaneId yes, LaneId no) {
  if (yes == no || mask == all()) {
    return yes;
  }
  if (mask == zero()) {
    return no;
  }
  return add({.op = LaneOp::kChoose, .a = mask, .b = yes, .c = no},
             std::max(most_[yes], most_[no]));
}

// A number that is bytes of the packet, or some bits of them, is compared where the bytes are.
LaneId LaneValues::equals(LaneId a, std::uint32_t value) {
  std::uint32_t mask = kAll;
  LaneId number = a;
  if (values_[a].op == LaneOp::kAnd) {
    const std::optional<std::uint32_t> left = known(values_[a].a);
    const std::optional<std::uint32_t> right = known(values_[a].b);
    if (left || right) {
      mask = left ? *left : *right;
      number = left ? values_[a].b : values_[a].a;
    }
  }
  const LaneValue picked = values_[number];
  if (picked.op != LaneOp::kPick) {
    return binary(LaneOp::kEqual, a, constant(value));
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
                   : add({.op = LaneOp::kIs, .a = picked.a, .imm = value, .mask = mask}, kAll);
}

LaneCondition LaneValues::compare(JumpOp op, LaneId a, LaneId b) {
  // Without sign the processor compares only through the lesser and the greater of two.
  const bool small = most_[a] <= kMostSigned && most_[b] <= kMostSigned;
  switch (op) {
    case JumpOp::kEq:
    case JumpOp::kNe: {
      const bool negated = op == JumpOp::kNe;
      if (known(b)) {
        return {equals(a, *known(b)), negated};
      }
      return {binary(LaneOp::kEqual, a, b), negated};
    }
    case JumpOp::kSet:
      return {equals(binary(LaneOp::kAnd, a, b), 0), true};
    case JumpOp::kGt:
      return small ? LaneCondition{binary(LaneOp::kGreater, a, b), false}
                   : LaneCondition{binary(LaneOp::kEqual, binary(LaneOp::kMin, a, b), a), true};
    case JumpOp::kGe:
      return small ? LaneCondition{binary(LaneOp::kGreater, b, a), true}
                   : LaneCondition{binary(LaneOp::kEqual, binary(LaneOp::kMax, a, b), a), false};
    case JumpOp::kLt:
      return compare(JumpOp::kGt, b, a);
    case JumpOp::kLe:
      return compare(JumpOp::kGe, b, a);
    case JumpOp::kSGt:
      return {binary(LaneOp::kGreater, a, b), false};
    case JumpOp::kSGe:
      return {binary(LaneOp::kGreater, b, a), true};
    case JumpOp::kSLt:
      return {binary(LaneOp::kGreater, b, a), false};
    case JumpOp::kSLe:
      return {binary(LaneOp::kGreater, a, b), true};
    case JumpOp::kJa:
      break;
  }
  return {all(), false};
}

LaneCondition LaneValues::test(JumpOp op, LaneId field, std::uint32_t mask, std::uint32_t value) {
  const LaneId number =
      binary(LaneOp::kAnd, pick(field, false), constant(mask | ~all_of(values_[field].width)));
  return compare(op, number, constant(value));
}

LaneId LaneValues::where(LaneId mask, LaneCondition condition) {
  return binary(condition.negated ? LaneOp::kAndNot : LaneOp::kAnd, condition.mask, mask);
}

LaneId LaneValues::where_not(LaneId mask, LaneCondition condition) {
  return where(mask, {condition.mask, !condition.negated});
}

}  // namespace weir::jit
