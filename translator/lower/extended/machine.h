// The form between the IR and extended instructions: three-address code over virtual registers.
//
// It is still in SSA form: every virtual register has one definition, block parameters carry the
// values that merge. What is decided already is what the target does: which fields are read, which
// bounds are checked, which byte order a value is kept in. What is left is where each virtual
// register lives (allocate.h) and the two-address shape of the instructions (emit.h).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "translator/ebpf/instruction.h"
#include "translator/ebpf/program.h"

namespace weir::lower::machine {

using Vreg = std::uint32_t;     // Index into Function::vregs.
using BlockId = std::uint32_t;  // Index into Function::blocks.

inline constexpr std::uint32_t kNone = 0xffffffff;
inline constexpr Vreg kFrame = 0;  // The frame pointer, r10, in every function.

// A virtual register or a constant; in 64-bit instructions the constant is sign-extended.
struct Operand {
  Vreg reg = kNone;
  std::int32_t imm = 0;

  bool is_reg() const { return reg != kNone; }
  static Operand of(Vreg reg) { return {.reg = reg}; }
  static Operand constant(std::uint32_t value) { return {.imm = static_cast<std::int32_t>(value)}; }
};

enum class Op : std::uint8_t {
  kMove,         // dst = b.
  kAlu,          // dst = a `alu` b, of 64 bits if is64, else of 32 bits.
  kShiftOrZero,  // dst = b < 32 ? a `alu` b : 0, of 32 bits.
  kToBig,        // dst = a in the other byte order, 8 * width bits, zero-extended.
  kLoad,         // dst = *(width *)(a + offset).
  kStore,        // *(width *)(a + offset) = b.
  kLoadPacket,   // dst = LD_ABS [imm], or LD_IND [a + imm]; b is the context, in r6.
  kLoadMap,      // dst = the address of map number imm.
  kLoadData,     // dst = the address of byte b (a constant) of read-only map number imm.
  kLoadWide,     // dst = imm in the lower half, b (a constant) in the upper one.
  kCall,         // dst = helper imm(r1 = a, r2 = b); operands that are not there are not passed.
  kCallKernel,   // dst = kernel function of BTF id imm(r1 = a, r2 = b), the same way.
  // dst = kernel function of BTF id imm(r1 = a, r2 = r10 + offset, r3 = r10 + offset + 8): one that
  // writes its answers into two words of the stack.
  kCallKernelTwoWords,
  kPullData,  // helper imm(r1 = a, r2 = b); a survives the call, no other register does.
  kExitIf,    // if (a `compare` b) goto target, a block without parameters.
  kSpill,     // Stack slot of dst = a. Only allocation makes these two.
  kReload,    // dst = stack slot of a.
};

struct Instruction {
  Op op = Op::kMove;
  bool is64 = false;
  ebpf::AluOp alu = ebpf::AluOp::kMov;
  ebpf::JumpOp compare = ebpf::JumpOp::kEq;
  ebpf::Width width = ebpf::Width::kW;
  std::int16_t offset = 0;
  Vreg dst = kNone;
  Vreg a = kNone;
  Operand b;
  std::int32_t imm = 0;
  BlockId target = kNone;
  std::uint32_t origin = 0xffffffff;
};

struct Edge {
  BlockId to = kNone;
  std::vector<Operand> arguments;  // One a parameter of `to`.
};

enum class End : std::uint8_t {
  kJump,     // edges[0].
  kBranch,   // (a `compare` b) ? edges[0] : edges[1].
  kReturn,   // The program ends with b.
  kRestart,  // Back to block edges[0], an earlier one; see Function::live_at_restarts.
};

struct Terminator {
  End end = End::kReturn;
  bool is64 = false;
  ebpf::JumpOp compare = ebpf::JumpOp::kEq;
  Vreg a = kNone;
  Operand b;
  std::vector<Edge> edges;
  std::uint32_t origin = 0xffffffff;
};

struct Block {
  std::vector<Vreg> parameters;
  std::vector<Instruction> body;
  Terminator terminator;
  bool cold = false;  // Seldom run: it stands at the program's end, out of the way.
};

struct VregInfo {
  std::optional<ebpf::Reg> fixed;  // It must live there; nothing else of its life asks for it.
  bool spilled = false;            // It lives in a stack slot of 8 bytes.
  bool spillable = true;
};

struct Function {
  std::vector<VregInfo> vregs;
  std::vector<Block> blocks;
  // What a restart leaves where it is: the only registers, besides the arguments of its edge, that
  // are read after it without having been written again.
  std::vector<Vreg> live_at_restarts;
  // The blocks in an order in which every edge but kRestart goes forward, the order they are laid
  // out in but for the cold ones. Blocks that are not in it do not exist.
  std::vector<BlockId> order;
  std::vector<ebpf::Map> maps;
  // Whether r6 holds the context all along (LD_ABS).
  bool context_in_r6 = false;
  // Bytes of stack below r10 that are already spoken for, a multiple of 8.
  std::int32_t stack_bytes = 0;

  Vreg new_vreg() {
    vregs.emplace_back();
    return static_cast<Vreg>(vregs.size() - 1);
  }
  BlockId new_block() {
    blocks.emplace_back();
    return static_cast<BlockId>(blocks.size() - 1);
  }
  // The offset from r10 of 8 more bytes.
  std::int16_t new_stack_word() {
    stack_bytes += 8;
    return static_cast<std::int16_t>(-stack_bytes);
  }
};

// Whether the instruction, if dst and b are registers, must not have them be the same one, because
// its two-address form writes dst before it reads b.
inline bool reads_b_late(const Instruction& instruction) {
  using ebpf::AluOp;
  if (instruction.op == Op::kShiftOrZero) {
    return true;
  }
  if (instruction.op != Op::kAlu) {
    return false;
  }
  switch (instruction.alu) {
    case AluOp::kAdd:
      return instruction.is64;  // A pointer stays the destination.
    case AluOp::kMul:
    case AluOp::kOr:
    case AluOp::kAnd:
    case AluOp::kXor:
      return false;
    case AluOp::kSub:
    case AluOp::kDiv:
    case AluOp::kSDiv:
    case AluOp::kLsh:
    case AluOp::kRsh:
    case AluOp::kNeg:
    case AluOp::kMod:
    case AluOp::kSMod:
    case AluOp::kMov:
    case AluOp::kMovSx8:
    case AluOp::kMovSx16:
    case AluOp::kMovSx32:
    case AluOp::kArsh:
      return true;
  }
  return true;
}

// A set of real registers, bit n for rn.
using RegSet = std::uint16_t;

constexpr RegSet reg_bit(ebpf::Reg reg) {
  return static_cast<RegSet>(1U << static_cast<unsigned>(reg));
}

// r0 to r5: what a call and LD_ABS leave undefined.
inline constexpr RegSet kCallerSaved = 0x003f;

inline RegSet clobbers(const Instruction& instruction) {
  return instruction.op == Op::kLoadPacket || instruction.op == Op::kCall ||
                 instruction.op == Op::kCallKernel || instruction.op == Op::kCallKernelTwoWords ||
                 instruction.op == Op::kPullData
             ? kCallerSaved
             : RegSet{0};
}

}  // namespace weir::lower::machine
