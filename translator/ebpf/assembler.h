// Makes extended programs: appends instructions, jumps to labels, and resolves them at the end.
#pragma once

#include <cstdint>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"

namespace weir::ebpf {

// A place in the program, to be bound once and jumped to any number of times.
struct Label {
  std::uint32_t id = 0;
};

class Assembler {
 public:
  // The classic instruction that what follows comes from.
  void set_origin(std::uint32_t origin) { origin_ = origin; }

  void emit(const Instruction& instruction);  // Anything but a Jump to somewhere.

  Label new_label();
  void bind(Label label);  // Here. Once a label.
  void jump(Label target);
  // if (dst op src) goto target; 32-bit unless said otherwise.
  void jump_if(JumpOp op, Reg dst, Operand src, Label target, bool is64 = false);

  std::size_t size() const { return instructions_.size(); }

  // Resolves every jump. A conditional jump that cannot reach its target in 16 bits goes through an
  // unconditional one placed behind it with the condition turned (or, for kSet, around it); an
  // unconditional one past 16 bits becomes `gotol` (kernel 6.6 and later). Call once. Every label
  // used must be bound.
  Program finish() &&;

 private:
  struct Fixup {
    std::size_t instruction;
    Label target;
  };
  std::vector<Instruction> instructions_;
  std::vector<std::uint32_t> origins_;
  std::vector<std::size_t> labels_;
  std::vector<Fixup> fixups_;
  std::uint32_t origin_ = 0xffffffff;
};

}  // namespace weir::ebpf
