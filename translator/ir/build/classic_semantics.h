// What a classic instruction does, in the IR's terms.
#pragma once

#include <cstdint>

#include "cbpf/instruction.h"
#include "cbpf/program.h"
#include "translator/ir/function.h"

namespace weir::ir {

// The variables of the classic machine, numbered.
inline constexpr std::uint32_t kA = 0;
inline constexpr std::uint32_t kX = 1;
inline constexpr std::uint32_t kM = 2;  // M[0]; the others behind it.
inline constexpr std::uint32_t kVariables = kM + cbpf::kScratchWords;

struct Effects {
  std::uint32_t reads = 0;
  std::uint32_t writes = 0;
};

// Which variables the instruction reads and writes, as masks: bit v is variable v.
Effects effects(const cbpf::Instruction& i);

// The operation of an arithmetic instruction. Linux takes a shift by X modulo 32.
Op arithmetic_op(std::uint16_t code, cbpf::Dialect dialect);

// The comparison of a conditional jump.
Compare compare_of(std::uint16_t code);

}  // namespace weir::ir
