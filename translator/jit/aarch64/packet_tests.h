// The questions of a packet form: how they are asked of the processor, one by one as jumps, as a
// condition, or as a number that is gathered with those of others.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "translator/jit/aarch64/emit.h"
#include "translator/jit/aarch64/packet_loop.h"
#include "translator/userspace/packet_program.h"

namespace weir::jit::aarch64 {

class PacketTests : protected PacketLoop {
 protected:
  // Inside of an operation: what was loaded.
  static constexpr Gp kLoaded = kAddress;

  using PacketLoop::PacketLoop;

  template <typename T>
  const T& instruction(const ebpf::PacketOp& op) const {
    return std::get<T>(input_.program.instructions[op.index]);
  }

  // The numbers that tests compare with and that no form holds; those of the most tests first.
  std::vector<std::uint32_t> wanted_numbers() const;

  // What is at the operation's address. May take kAddress and kNumber.
  void load(const ebpf::PacketOp& op, bool sign_extend, Gp dst);

  void emit_compare_jump(const ebpf::PacketOp& op, Label target);
  void emit_test_jump(const ebpf::PacketOp& op, Label target);

  // Sets the flags; the condition under which the question's answer is yes.
  Condition ask(const ebpf::PacketOp& op);

  // Whether a question is whether a number of 32 bits is not 0.
  bool has_number(const ebpf::PacketOp& op) const;
  // That number, into `dst`. Takes kNumber, and kAddress where dst is another.
  void number_of(const ebpf::PacketOp& op, Gp dst);

 private:
  // The number of 32 bits with which an operation compares another.
  std::optional<std::uint32_t> compared_number(const ebpf::PacketOp& op) const;
  Mem address(const ebpf::PacketOp& op);
  // Loads what a test is of, masked.
  void load_masked(const ebpf::PacketOp& op, Gp dst);
  // Sets the flags of reg against a number of 32 bits.
  void compare32(Gp reg, std::uint32_t number);
  // A number that is not 0 where src is another than the number.
  void emit_difference(Gp dst, Gp src, std::uint32_t number);
};

}  // namespace weir::jit::aarch64
