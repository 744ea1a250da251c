// Programs in the kernel's own structure. Private to this folder.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "translator/ebpf/encode.h"

namespace weir::xdp {

// `Insn` is struct bpf_insn of linux/bpf.h, which stays out of headers. Its registers are bit
// fields, whose place in the byte depends on the machine's byte order: hence no plain copy.
template <typename Insn>
std::vector<Insn> wire_instructions(std::span<const ebpf::Instruction> instructions) {
  const std::vector<ebpf::Slot> slots = ebpf::encode(instructions);
  std::vector<Insn> wire(slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    wire[i].code = slots[i].opcode;
    wire[i].dst_reg = slots[i].regs & 0x0f;
    wire[i].src_reg = static_cast<std::uint8_t>(slots[i].regs >> 4) & 0x0f;
    wire[i].off = slots[i].offset;
    wire[i].imm = slots[i].imm;
  }
  return wire;
}

}  // namespace weir::xdp
