#include "tests/kernel/programs.h"

namespace weir::testing {

using ebpf::Alu;
using ebpf::AluOp;
using ebpf::Endian;
using ebpf::EndianOp;
using ebpf::Exit;
using ebpf::Jump;
using ebpf::JumpOp;
using ebpf::Load;
using ebpf::LoadPacket;
using ebpf::Reg;
using ebpf::Width;

namespace {

Alu move(Reg dst, ebpf::Operand src) { return {.op = AluOp::kMov, .dst = dst, .src = src}; }

}  // namespace

ebpf::Program returning(std::int32_t value) {
  return {.instructions = {move(Reg::kR0, value), Exit{}}, .origins = {0, 0}, .maps = {}};
}

ebpf::Program on_ether_type(ContextOffsets context, std::uint16_t type, std::int32_t then,
                            std::int32_t otherwise) {
  ebpf::Program program;
  program.instructions = {
      Load{.width = Width::kW, .dst = Reg::kR2, .src = Reg::kR1, .offset = context.data},
      Load{.width = Width::kW, .dst = Reg::kR3, .src = Reg::kR1, .offset = context.data_end},
      move(Reg::kR0, otherwise),
      move(Reg::kR4, Reg::kR2),
      Alu{.op = AluOp::kAdd, .dst = Reg::kR4, .src = 14},
      Jump{.op = JumpOp::kGt, .dst = Reg::kR4, .src = Reg::kR3, .offset = 4},
      Load{.width = Width::kH, .dst = Reg::kR5, .src = Reg::kR2, .offset = 12},
      Endian{.op = EndianOp::kToBig, .bits = 16, .dst = Reg::kR5},
      Jump{.op = JumpOp::kNe,
           .is64 = false,
           .dst = Reg::kR5,
           .src = std::int32_t{type},
           .offset = 1},
      move(Reg::kR0, then),
      Exit{},
  };
  program.origins.resize(program.instructions.size(), 0);
  return program;
}

ebpf::Program accept_ether_type(std::uint16_t type) {
  ebpf::Program program;
  program.instructions = {
      move(Reg::kR6, Reg::kR1),
      LoadPacket{.width = Width::kH, .imm = 12},
      Jump{.op = JumpOp::kNe,
           .is64 = false,
           .dst = Reg::kR0,
           .src = std::int32_t{type},
           .offset = 2},
      move(Reg::kR0, 0xffff),
      Exit{},
      move(Reg::kR0, 0),
      Exit{},
  };
  program.origins.resize(program.instructions.size(), 0);
  return program;
}

ebpf::Program unguarded(ContextOffsets context) {
  return {.instructions =
              {Load{.width = Width::kW, .dst = Reg::kR2, .src = Reg::kR1, .offset = context.data},
               Load{.width = Width::kB, .dst = Reg::kR0, .src = Reg::kR2}, Exit{}},
          .origins = {0xffffffff, 7, 8},
          .maps = {}};
}

}  // namespace weir::testing
