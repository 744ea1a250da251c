#include "cbpf/validate.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cbpf/packet.h"

namespace weir::cbpf {
namespace {

constexpr std::size_t kMaxLibpcapInstructions = std::size_t{1} << 20;

struct Breach {
  Rule rule = Rule::kEmpty;
  std::optional<std::uint32_t> instruction;
};

// The codes of the machine: chk_code_allowed of net/core/filter.c.
constexpr std::array<std::uint16_t, 49> kCodes = {
    kLd | kAbs | kW,
    kLd | kAbs | kH,
    kLd | kAbs | kB,
    kLd | kInd | kW,
    kLd | kInd | kH,
    kLd | kInd | kB,
    kLd | kLen,
    kLd | kImm,
    kLd | kMem,
    kLdx | kLen,
    kLdx | kMsh | kB,
    kLdx | kImm,
    kLdx | kMem,
    kSt,
    kStx,
    kAlu | kAdd | kK,
    kAlu | kAdd | kX,
    kAlu | kSub | kK,
    kAlu | kSub | kX,
    kAlu | kMul | kK,
    kAlu | kMul | kX,
    kAlu | kDiv | kK,
    kAlu | kDiv | kX,
    kAlu | kMod | kK,
    kAlu | kMod | kX,
    kAlu | kAnd | kK,
    kAlu | kAnd | kX,
    kAlu | kOr | kK,
    kAlu | kOr | kX,
    kAlu | kXor | kK,
    kAlu | kXor | kX,
    kAlu | kLsh | kK,
    kAlu | kLsh | kX,
    kAlu | kRsh | kK,
    kAlu | kRsh | kX,
    kAlu | kNeg,
    kMisc | kTax,
    kMisc | kTxa,
    kRet | kK,
    kRet | kA,
    kJmp | kJa,
    kJmp | kJeq | kK,
    kJmp | kJeq | kX,
    kJmp | kJgt | kK,
    kJmp | kJgt | kX,
    kJmp | kJge | kK,
    kJmp | kJge | kX,
    kJmp | kJset | kK,
    kJmp | kJset | kX,
};

constexpr std::array<bool, 256> known_codes() {
  std::array<bool, 256> known{};
  for (const std::uint16_t code : kCodes) {
    known[code] = true;
  }
  return known;
}

bool is_known(std::uint16_t code) {
  static constexpr std::array<bool, 256> kKnown = known_codes();
  return code < kKnown.size() && kKnown[code];
}

bool is_backward(const Instruction& i) {
  return i.code == (kJmp | kJa) && static_cast<std::int32_t>(i.k) < 0;
}

// How many instructions before the one behind it a backward jump goes.
std::size_t backward_distance(const Instruction& i) { return std::size_t{0x100000000} - i.k; }

// Sees that backward jumps make loops that neither overlap nor nest: in order of their jumps, each
// one either goes back to the head of the loop before it or to a place behind that loop's end.
class Loops {
 public:
  std::optional<Rule> add(std::size_t jump, std::size_t target) {
    if (target == jump) {
      return Rule::kSelfJump;
    }
    if (any_ && target != head_ && target <= end_) {
      return Rule::kCrossingLoops;
    }
    any_ = true;
    head_ = target;
    end_ = jump;
    return std::nullopt;
  }
  bool any() const { return any_; }

 private:
  bool any_ = false;
  std::size_t head_ = 0;  // Of the last loop seen,
  std::size_t end_ = 0;   // and its last jump so far.
};

std::optional<Rule> check_jump(const std::vector<Instruction>& code, std::size_t at,
                               Dialect dialect, Loops& loops) {
  const Instruction& i = code[at];
  const std::size_t ahead = code.size() - at - 1;  // Instructions behind this one.
  if (i.code != (kJmp | kJa)) {
    return i.jt < ahead && i.jf < ahead ? std::nullopt : std::optional(Rule::kJumpPastEnd);
  }
  if (!is_backward(i)) {
    return i.k < ahead ? std::nullopt : std::optional(Rule::kJumpPastEnd);
  }
  const std::size_t back = backward_distance(i);
  if (back > at + 1) {
    return Rule::kJumpPastEnd;
  }
  if (dialect == Dialect::kLinux) {
    return Rule::kBackwardJump;
  }
  return loops.add(at, at + 1 - back);
}

// The rules of one instruction, apart from what was in scratch memory before it.
std::optional<Rule> check_instruction(const std::vector<Instruction>& code, std::size_t at,
                                      Dialect dialect, Loops& loops) {
  const Instruction& i = code[at];
  if (!is_known(i.code)) {
    return Rule::kUnknownOpcode;
  }
  switch (class_of(i.code)) {
    case kLd:
    case kLdx:
      if (mode_of(i.code) == kMem && i.k >= kScratchWords) return Rule::kScratchIndex;
      if (mode_of(i.code) == kAbs && i.k >= kAncillaryOffset && !extension_at(i.k)) {
        return Rule::kUnknownExtension;
      }
      return std::nullopt;
    case kSt:
    case kStx:
      return i.k >= kScratchWords ? std::optional(Rule::kScratchIndex) : std::nullopt;
    case kAlu: {
      if (source_of(i.code) == kX) return std::nullopt;
      const std::uint16_t op = op_of(i.code);
      if ((op == kDiv || op == kMod) && i.k == 0) return Rule::kDivisionByZero;
      if ((op == kLsh || op == kRsh) && i.k >= 32) return Rule::kShiftTooLarge;
      return std::nullopt;
    }
    case kJmp:
      return check_jump(code, at, dialect, loops);
    default:  // kRet and kMisc have no operands that could be wrong.
      return std::nullopt;
  }
}

// Finds a read of M[k] that a path reaches without having written it: check_load_and_stores of
// net/core/filter.c, made sound for backward jumps. `ret` passes its words on to the instruction
// behind it, as there, so that what passes here passes in the kernel.
//
// A backward jump that brings fewer words to its target than the sweep assumed there sends the
// sweep back to the target with what is left. As loops do not overlap and there are 16 words, that
// happens at most 16 times a loop.
//
// The words of `at_start` count as written.
std::optional<std::size_t> uninitialized_read(const std::vector<Instruction>& code,
                                              std::uint16_t at_start = 0) {
  std::vector<std::uint16_t> written(code.size(), 0xffff);  // On every path found so far.
  std::uint16_t now = at_start;
  for (std::size_t at = 0; at < code.size(); ++at) {
    const Instruction& i = code[at];
    now &= written[at];
    written[at] = now;
    const auto bit = static_cast<std::uint16_t>(1U << (i.k % kScratchWords));
    const std::uint16_t cls = class_of(i.code);
    if (cls == kSt || cls == kStx) {
      now |= bit;
    } else if ((cls == kLd || cls == kLdx) && mode_of(i.code) == kMem) {
      if ((now & bit) == 0) return at;
    } else if (is_backward(i)) {
      const std::size_t head = at + 1 - backward_distance(i);
      if ((written[head] & ~now) != 0) {
        now &= written[head];
        written[head] = now;
        at = head - 1;  // And one on; wraps to 0 and back when the head is the first.
        continue;
      }
      now = 0xffff;
    } else if (i.code == (kJmp | kJa)) {
      written[at + 1 + i.k] &= now;
      now = 0xffff;
    } else if (cls == kJmp) {
      written[at + 1 + i.jt] &= now;
      written[at + 1 + i.jf] &= now;
      now = 0xffff;
    }
  }
  return std::nullopt;
}

std::optional<Breach> find_breach(const Program& program, Dialect dialect, Loops& loops) {
  const std::vector<Instruction>& code = program.instructions;
  if (code.empty()) {
    return Breach{Rule::kEmpty, std::nullopt};
  }
  const std::size_t limit =
      dialect == Dialect::kLinux ? kMaxLinuxInstructions : kMaxLibpcapInstructions;
  if (code.size() > limit) {
    return Breach{Rule::kTooLong, static_cast<std::uint32_t>(limit)};
  }
  for (std::size_t at = 0; at < code.size(); ++at) {
    if (const std::optional<Rule> rule = check_instruction(code, at, dialect, loops)) {
      return Breach{*rule, static_cast<std::uint32_t>(at)};
    }
  }
  if (class_of(code.back().code) != kRet) {
    return Breach{Rule::kLastNotReturn, static_cast<std::uint32_t>(code.size() - 1)};
  }
  if (const std::optional<std::size_t> at = uninitialized_read(code)) {
    return Breach{Rule::kScratchUninitialized, static_cast<std::uint32_t>(*at)};
  }
  return std::nullopt;
}

std::uint32_t extensions_read(const Program& program) {
  std::uint32_t mask = 0;
  for (const Instruction& i : program.instructions) {
    if (class_of(i.code) != kLd || mode_of(i.code) != kAbs) continue;
    const std::optional<Extension> extension = extension_at(i.k);
    if (extension && *extension != Extension::kAluXorX) {
      mask |= Ancillary::bit(*extension);
    }
  }
  return mask;
}

}  // namespace

std::string_view rule_sentence(Rule rule) {
  switch (rule) {
    case Rule::kEmpty:
      return "the program has no instructions";
    case Rule::kTooLong:
      return "the program has more instructions than its dialect allows";
    case Rule::kUnknownOpcode:
      return "the code is not an instruction of the machine";
    case Rule::kJumpPastEnd:
      return "the jump goes outside the program";
    case Rule::kBackwardJump:
      return "the jump goes backward, which the Linux dialect does not allow";
    case Rule::kSelfJump:
      return "the jump goes to itself";
    case Rule::kCrossingLoops:
      return "the jump makes a loop that overlaps another one";
    case Rule::kDivisionByZero:
      return "the divisor is the constant 0";
    case Rule::kShiftTooLarge:
      return "the shift is by a constant of 32 or more";
    case Rule::kScratchIndex:
      return "the scratch word is not one of M[0] to M[15]";
    case Rule::kScratchUninitialized:
      return "the scratch word can be read before it is written";
    case Rule::kUnknownExtension:
      return "the offset names no Linux extension";
    case Rule::kLastNotReturn:
      return "the last instruction is not a return";
  }
  return "";
}

Result<ValidatedProgram> validate(Program program, Dialect dialect) {
  Loops loops;
  if (const std::optional<Breach> breach = find_breach(program, dialect, loops)) {
    return fail(ErrorCode::kInvalidProgram, std::string(rule_sentence(breach->rule)),
                {.instruction = breach->instruction});
  }
  ValidatedProgram validated;
  validated.extensions_ = extensions_read(program);
  validated.has_loop_ = loops.any();
  validated.dialect_ = dialect;
  validated.program_ = std::move(program);
  return validated;
}

std::uint16_t uninitialized_scratch(const Program& program, Dialect dialect) {
  Loops loops;
  const std::optional<Breach> breach = find_breach(program, dialect, loops);
  if (!breach || breach->rule != Rule::kScratchUninitialized) {
    return 0;
  }
  std::uint16_t words = 0;
  while (const auto at = uninitialized_read(program.instructions, words)) {
    words |= static_cast<std::uint16_t>(1U << program.instructions[*at].k);
  }
  return words;
}

std::uint32_t initialize_scratch(Program& program, Dialect dialect) {
  const std::uint16_t words = uninitialized_scratch(program, dialect);
  std::vector<Instruction> stores;
  for (std::uint32_t k = 0; k < kScratchWords; ++k) {
    if ((words >> k & 1) != 0) {
      stores.push_back({kSt, 0, 0, k});  // A starts at 0.
    }
  }
  program.instructions.insert(program.instructions.begin(), stores.begin(), stores.end());
  return static_cast<std::uint32_t>(stores.size());
}

}  // namespace weir::cbpf
