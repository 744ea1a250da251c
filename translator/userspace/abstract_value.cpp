#include "translator/userspace/abstract_value.h"

#include <bit>

namespace weir::ebpf::abstract {

Value join(const Value& a, const Value& b) {
  if (a == b) {
    return a;
  }
  const bool touches_context = a.kind == Kind::kContext || b.kind == Kind::kContext ||
                               a.kind == Kind::kMixed || b.kind == Kind::kMixed;
  if (touches_context) {
    return {.kind = Kind::kMixed};
  }
  const bool ranges = a.kind == Kind::kNumber || a.kind == Kind::kData;
  if (ranges && a.kind == b.kind && a.id == b.id) {
    return {.kind = a.kind,
            .id = a.id,
            .low = std::min(a.low, b.low),
            .high = std::max(a.high, b.high)};
  }
  return kAnything;
}

namespace {

Value add_range(const Value& a, const Value& b, std::uint64_t max) {
  if (a.high > max || b.high > max || a.high > max - b.high) {
    return number(0, max);
  }
  return number(a.low + b.low, a.high + b.high);
}

std::uint64_t all_ones_over(std::uint64_t value) {
  return value == 0 ? 0 : kMax64 >> std::countl_zero(value);
}

}  // namespace

Value compute(AluOp op, const Value& a, const Value& b, std::uint64_t max) {
  const bool exact = b.low == b.high;
  const std::uint64_t bits = max == kMax32 ? 32 : 64;
  const std::uint64_t count = b.low & (bits - 1);
  switch (op) {
    case AluOp::kAdd:
      return add_range(a, b, max);
    case AluOp::kSub:
      return a.low >= b.high ? number(a.low - b.high, a.high - b.low) : number(0, max);
    case AluOp::kMul:
      return b.high == 0 || a.high <= max / b.high ? number(a.low * b.low, a.high * b.high)
                                                   : number(0, max);
    case AluOp::kDiv:
      return b.low == 0 ? number(0, a.high) : number(a.low / b.high, a.high / b.low);
    case AluOp::kMod:
      return number(0, b.low == 0 ? a.high : std::min(a.high, b.high - 1));
    case AluOp::kAnd:
      if (a.low == a.high && exact) {
        return constant(a.low & b.low);
      }
      return number(0, std::min(a.high, b.high));
    case AluOp::kOr:
      return number(std::max(a.low, b.low), all_ones_over(a.high | b.high));
    case AluOp::kXor:
      return number(0, all_ones_over(a.high | b.high));
    case AluOp::kLsh:
      return exact && a.high <= max >> count ? number(a.low << count, a.high << count)
                                             : number(0, max);
    case AluOp::kRsh:
      return exact ? number(a.low >> count, a.high >> count) : number(0, a.high);
    case AluOp::kMov:
      return b;
    case AluOp::kArsh:
      if (a.high > max >> 1) {
        return number(0, max);
      }
      return exact ? number(a.low >> count, a.high >> count) : number(0, a.high);
    case AluOp::kSDiv:
    case AluOp::kSMod:
    case AluOp::kNeg:
    case AluOp::kMovSx8:
    case AluOp::kMovSx16:
    case AluOp::kMovSx32:
      return number(0, max);
  }
  return number(0, max);
}

Value narrowed(JumpOp op, const Value& a, const Value& b) {
  constexpr Value kNothing{.low = 1, .high = 0};
  switch (op) {
    case JumpOp::kEq:
      return number(std::max(a.low, b.low), std::min(a.high, b.high));
    case JumpOp::kNe:
      if (b.low != b.high) {
        return a;
      }
      if (a.low == a.high && a.low == b.low) {
        return kNothing;
      }
      return number(a.low == b.low ? a.low + 1 : a.low, a.high == b.low ? a.high - 1 : a.high);
    case JumpOp::kGt:
      return b.low == kMax64 ? kNothing : number(std::max(a.low, b.low + 1), a.high);
    case JumpOp::kGe:
      return number(std::max(a.low, b.low), a.high);
    case JumpOp::kLt:
      return b.high == 0 ? kNothing : number(a.low, std::min(a.high, b.high - 1));
    case JumpOp::kLe:
      return number(a.low, std::min(a.high, b.high));
    case JumpOp::kJa:
    case JumpOp::kSet:
    case JumpOp::kSGt:
    case JumpOp::kSGe:
    case JumpOp::kSLt:
    case JumpOp::kSLe:
      return a;
  }
  return a;
}

JumpOp negated(JumpOp op) {
  switch (op) {
    case JumpOp::kEq:
      return JumpOp::kNe;
    case JumpOp::kNe:
      return JumpOp::kEq;
    case JumpOp::kGt:
      return JumpOp::kLe;
    case JumpOp::kLe:
      return JumpOp::kGt;
    case JumpOp::kGe:
      return JumpOp::kLt;
    case JumpOp::kLt:
      return JumpOp::kGe;
    case JumpOp::kJa:
    case JumpOp::kSet:
    case JumpOp::kSGt:
    case JumpOp::kSGe:
    case JumpOp::kSLt:
    case JumpOp::kSLe:
      return JumpOp::kJa;
  }
  return JumpOp::kJa;
}

JumpOp mirrored(JumpOp op) {
  switch (op) {
    case JumpOp::kGt:
      return JumpOp::kLt;
    case JumpOp::kGe:
      return JumpOp::kLe;
    case JumpOp::kLt:
      return JumpOp::kGt;
    case JumpOp::kLe:
      return JumpOp::kGe;
    case JumpOp::kJa:
    case JumpOp::kEq:
    case JumpOp::kSet:
    case JumpOp::kNe:
    case JumpOp::kSGt:
    case JumpOp::kSGe:
    case JumpOp::kSLt:
    case JumpOp::kSLe:
      return op;
  }
  return op;
}

}  // namespace weir::ebpf::abstract
