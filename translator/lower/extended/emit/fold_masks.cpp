#include "translator/lower/extended/emit/fold_masks.h"

#include <cstdint>
#include <vector>

namespace weir::lower {
namespace {

using machine::Instruction;
using machine::kNone;
using machine::Vreg;

// What a register is: `of` under a mask.
struct Masked {
  Vreg of = kNone;
  std::int32_t mask = 0;
};

bool masks(const Instruction& instruction) {
  return instruction.op == machine::Op::kAlu && instruction.alu == ebpf::AluOp::kAnd &&
         !instruction.is64 && !instruction.b.is_reg();
}

}  // namespace

void fold_masks(machine::Function& function) {
  std::vector<Masked> known(function.vregs.size());
  for (const machine::BlockId id : function.order) {
    for (Instruction& instruction : function.blocks[id].body) {
      if (!masks(instruction)) {
        continue;
      }
      if (const Masked& inner = known[instruction.a]; inner.of != kNone) {
        instruction.a = inner.of;
        instruction.b.imm &= inner.mask;
      }
      known[instruction.dst] = {.of = instruction.a, .mask = instruction.b.imm};
    }
  }
}

}  // namespace weir::lower
