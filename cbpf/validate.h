// The validator: turns a program into one that every engine may run without further checks.
//
// Its rules are those of Linux's bpf_check_classic (net/core/filter.c, 6.18) and libpcap's
// bpf_validate (1.10.3), and where they differ the stricter, with two exceptions made for what
// libpcap itself emits: backward `ja` is accepted in the libpcap dialect, and a program of the
// libpcap dialect may be longer than 4096 instructions.
#pragma once

#include <cstdint>
#include <string_view>

#include "cbpf/base/result.h"
#include "cbpf/program.h"

namespace weir::cbpf {

// The rules, one fixed sentence each.
enum class Rule : std::uint8_t {
  kEmpty,                 // No instruction.
  kTooLong,               // More than 4096 in the Linux dialect, 2^20 in libpcap's.
  kUnknownOpcode,         // Not one of the codes of the machine.
  kJumpPastEnd,           // A jump target outside the program.
  kBackwardJump,          // A backward `ja` in the Linux dialect.
  kSelfJump,              // A backward `ja` to itself: a loop that can do nothing.
  kCrossingLoops,         // Two backward jumps with different targets whose ranges overlap.
  kDivisionByZero,        // Constant divisor or modulus 0.
  kShiftTooLarge,         // Constant shift of 32 or more.
  kScratchIndex,          // M[k] with k >= 16.
  kScratchUninitialized,  // M[k] read on a path that never wrote it.
  kUnknownExtension,      // An absolute load at kAncillaryOffset or above that names nothing.
  kLastNotReturn,         // The last instruction is not `ret`.
};

// The sentence of a rule: "the divisor is the constant 0".
std::string_view rule_sentence(Rule rule);

// A program that keeps every rule. Only validate() makes one.
class ValidatedProgram {
 public:
  const Program& program() const { return program_; }
  Dialect dialect() const { return dialect_; }
  // The extensions it reads, as a mask of Ancillary::bit; kAluXorX reads nothing and is not in it.
  std::uint32_t extensions() const { return extensions_; }
  // Whether a backward `ja` is in it.
  bool has_loop() const { return has_loop_; }

 private:
  friend Result<ValidatedProgram> validate(Program program, Dialect dialect);
  ValidatedProgram() = default;
  Program program_;
  Dialect dialect_ = Dialect::kLibpcap;
  std::uint32_t extensions_ = 0;
  bool has_loop_ = false;
};

// Checks every rule, O(n). On failure: kInvalidProgram with the sentence of the first rule broken
// and its instruction as the place; the rules of a single instruction come before kLastNotReturn,
// and that before kScratchUninitialized. As in the kernel it makes no difference whether an
// instruction can be reached.
Result<ValidatedProgram> validate(Program program, Dialect dialect = Dialect::kLibpcap);

// The words of M[] (bit k: M[k]) that some path reads without having written them; 0 also for a
// program that breaks another rule. O(n) for each of them.
std::uint16_t uninitialized_scratch(const Program& program, Dialect dialect = Dialect::kLibpcap);

// Writes 0 to those words before all else, one `st` each, and gives how many: what libpcap's
// bpf_filter() reads there. libpcap's code generator makes such programs of a few expressions
// (`geneve or ip`), which the kernel refuses. Call it before anything names an instruction.
std::uint32_t initialize_scratch(Program& program, Dialect dialect = Dialect::kLibpcap);

}  // namespace weir::cbpf
