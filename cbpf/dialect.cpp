#include "cbpf/dialect.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

namespace weir::cbpf {
namespace {

constexpr std::uint64_t kAny = 0xffffffff;  // No bound.

// The greatest value each register can hold on some path to here.
struct Bounds {
  bool reached = false;
  std::uint64_t a = 0;
  std::uint64_t x = 0;
  std::array<std::uint64_t, kScratchWords> m{};

  void merge(const Bounds& other) {
    reached = true;
    a = std::max(a, other.a);
    x = std::max(x, other.x);
    for (std::size_t i = 0; i < m.size(); ++i) {
      m[i] = std::max(m[i], other.m[i]);
    }
  }
};

std::uint64_t wrap(std::uint64_t bound) { return bound > kAny ? kAny : bound; }

// The least number of all ones that is not below `bound`: no `or` or `xor` of values up to it
// passes it.
std::uint64_t all_ones(std::uint64_t bound) {
  return (std::uint64_t{1} << std::bit_width(bound)) - 1;
}

std::uint64_t alu_bound(Code op, std::uint64_t a, std::uint64_t operand, bool constant) {
  switch (op) {
    case kAdd:
      return wrap(a + operand);
    case kMul:
      return wrap(a * operand);
    case kDiv:
      return constant ? a / operand : a;
    case kMod:
      return operand == 0 ? 0 : std::min(a, operand - 1);
    case kAnd:
      return std::min(a, operand);
    case kOr:
    case kXor:
      return all_ones(std::max(a, operand));
    case kLsh:
      return constant ? wrap(a << operand) : kAny;
    case kRsh:
      return constant ? a >> operand : a;
    default:
      return kAny;  // sub and neg wrap.
  }
}

std::uint64_t load_bound(const Instruction& instruction, const Bounds& bounds) {
  switch (mode_of(instruction.code)) {
    case kImm:
      return instruction.k;
    case kMem:
      return bounds.m[instruction.k];
    case kMsh:
      return 60;
    case kAbs:
    case kInd:
      if (extension_at(instruction.k)) {
        return kAny;
      }
      return (std::uint64_t{1} << (8 * width_of(instruction.code))) - 1;
    default:
      return kAny;  // len.
  }
}

bool parts(const Instruction& instruction, const Bounds& bounds) {
  const Code code = instruction.code;
  if (class_of(code) == kLd && mode_of(code) == kAbs) {
    return instruction.k >= kLinkOffset && !extension_at(instruction.k);
  }
  if (class_of(code) == kLdx && mode_of(code) == kMsh) {
    return instruction.k >= kLinkOffset;
  }
  if (class_of(code) == kLd && mode_of(code) == kInd) {
    // Below kLinkOffset a large sum is past the packet in one reading and negative in the other,
    // and both end with 0.
    return bounds.x + instruction.k + width_of(code) > kLinkOffset;
  }
  if (class_of(code) == kAlu && source_of(code) == kX) {
    return (op_of(code) == kLsh || op_of(code) == kRsh) && bounds.x >= 32;
  }
  return false;
}

void step(const Instruction& instruction, Bounds& bounds) {
  const Code code = instruction.code;
  switch (class_of(code)) {
    case kLd:
      bounds.a = instruction.k == kAncillaryOffset + static_cast<std::uint32_t>(Extension::kAluXorX)
                     ? kAny
                     : load_bound(instruction, bounds);
      break;
    case kLdx:
      bounds.x = load_bound(instruction, bounds);
      break;
    case kSt:
      bounds.m[instruction.k] = bounds.a;
      break;
    case kStx:
      bounds.m[instruction.k] = bounds.x;
      break;
    case kAlu: {
      const bool constant = source_of(code) == kK;
      bounds.a = alu_bound(op_of(code), bounds.a, constant ? instruction.k : bounds.x, constant);
      break;
    }
    case kMisc:
      if (code == (kMisc | kTax)) {
        bounds.x = bounds.a;
      } else {
        bounds.a = bounds.x;
      }
      break;
    default:
      break;
  }
}

}  // namespace

std::optional<std::uint32_t> dialects_part_at(const ValidatedProgram& program) {
  const auto& instructions = program.program().instructions;
  std::vector<Bounds> before(instructions.size());
  before[0].reached = true;
  for (std::uint32_t pc = 0; pc < instructions.size(); ++pc) {
    if (!before[pc].reached) {
      continue;
    }
    const Instruction& instruction = instructions[pc];
    if (parts(instruction, before[pc])) {
      return pc;
    }
    Bounds after = before[pc];
    step(instruction, after);
    if (class_of(instruction.code) == kRet) {
      continue;
    }
    if (class_of(instruction.code) != kJmp) {
      before[pc + 1].merge(after);
    } else if (op_of(instruction.code) == kJa) {
      if (static_cast<std::int32_t>(instruction.k) < 0) {
        return pc;
      }
      before[pc + 1 + instruction.k].merge(after);
    } else {
      before[pc + 1 + instruction.jt].merge(after);
      before[pc + 1 + instruction.jf].merge(after);
    }
  }
  return std::nullopt;
}

}  // namespace weir::cbpf
