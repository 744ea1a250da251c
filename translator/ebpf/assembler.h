// Makes extended programs: appends instructions, jumps to labels, and resolves them at the end.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "cbpf/base/result.h"
#include "translator/ebpf/program.h"

namespace weir::ebpf {

// A place in the program, to be bound once and jumped to any number of times.
struct Label {
  std::uint32_t id = 0;
};

// What no kernel takes more of (BPF_COMPLEXITY_LIMIT_INSNS).
inline constexpr std::int64_t kMaxSlots = 1000000;

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

  // Resolves every jump. One that cannot reach its target in 16 bits gets there over islands, `ja`
  // instructions laid into the code in between (no origin), so the program may be longer than what
  // was emitted. Where it would become longer than kMaxSlots, jumps are left as long as they are:
  // encode() cannot write them. Call once. Every label used must be bound.
  Program finish() &&;

 private:
  struct Fixup {
    std::size_t instruction;
    Label target;
  };
  // The instruction an island stands before and the label it leads to; the island's own label.
  using Islands = std::map<std::pair<std::size_t, std::uint32_t>, Label>;

  std::vector<std::int64_t> positions() const;  // In slots, of each instruction and of the end.
  bool lay_islands();  // Shortens every far jump by one hop; false when there was none.
  void insert(const Islands& islands);

  std::vector<Instruction> instructions_;
  std::vector<std::uint32_t> origins_;
  std::vector<std::size_t> labels_;
  std::vector<Fixup> fixups_;
  std::uint32_t origin_ = kNoOrigin;
};

}  // namespace weir::ebpf
