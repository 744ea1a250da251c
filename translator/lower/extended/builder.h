// Appends machine instructions to the current block of a function.
#pragma once

#include <utility>

#include "translator/lower/extended/machine.h"

namespace weir::lower::machine {

class Builder {
 public:
  explicit Builder(Function& function) : function_(function) {}

  Function& function() { return function_; }
  BlockId block() const { return block_; }

  // Lays `block` out behind the others; what follows goes into it.
  void start(BlockId block) {
    block_ = block;
    function_.order.push_back(block);
  }
  // Goes back to a block that was started and not ended.
  void resume(BlockId block) { block_ = block; }
  void set_origin(std::uint32_t origin) { origin_ = origin; }

  // Gives the instruction a fresh destination and appends it.
  Vreg define(Instruction instruction) {
    instruction.dst = function_.new_vreg();
    append(instruction);
    return instruction.dst;
  }
  void append(Instruction instruction) {
    instruction.origin = origin_;
    function_.blocks[block_].body.push_back(instruction);
  }

  Vreg move(Operand value) { return define({.op = Op::kMove, .is64 = value.is_reg(), .b = value}); }
  Vreg alu(ebpf::AluOp op, Vreg a, Operand b) {
    return define({.op = Op::kAlu, .alu = op, .a = a, .b = b});
  }
  Vreg alu64(ebpf::AluOp op, Vreg a, Operand b) {
    return define({.op = Op::kAlu, .is64 = true, .alu = op, .a = a, .b = b});
  }
  Vreg load(ebpf::Width width, Vreg address, std::int16_t offset) {
    return define({.op = Op::kLoad, .width = width, .offset = offset, .a = address});
  }
  void store(ebpf::Width width, Vreg address, std::int16_t offset, Operand value) {
    append({.op = Op::kStore, .width = width, .offset = offset, .a = address, .b = value});
  }
  Vreg to_big(ebpf::Width width, Vreg a) {
    return define({.op = Op::kToBig, .width = width, .a = a});
  }
  void exit_if(ebpf::JumpOp compare, Vreg a, Operand b, BlockId target, bool is64 = false) {
    append({.op = Op::kExitIf, .is64 = is64, .compare = compare, .a = a, .b = b, .target = target});
  }

  void jump(BlockId to) { end({.end = End::kJump, .edges = {{.to = to}}}); }
  void end(Terminator terminator) {
    terminator.origin = origin_;
    function_.blocks[block_].terminator = std::move(terminator);
  }

 private:
  Function& function_;
  BlockId block_ = kNone;
  std::uint32_t origin_ = 0xffffffff;
};

}  // namespace weir::lower::machine
