// The loop around a packet form's code: its registers, its frame, the way from a packet to the
// next.
//
// There are registers enough for all the loop knows: those a C function may change where the
// program calls none, so that nothing has to be saved, else those it keeps; and two values that are
// seldom wanted are in the frame then. The packet's captured length is loaded once. Registers 6, 7,
// 16 and 17 are free inside of an operation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "translator/jit/aarch64/assembler.h"
#include "translator/jit/compile.h"
#include "translator/userspace/packet_program.h"

namespace weir::jit::aarch64 {

class PacketLoop {
 protected:
  struct Registers {
    Gp start = Gp::kX8;     // Where the packet in hand starts.
    Gp next = Gp::kX9;      // The UserPacket behind its own,
    Gp end = Gp::kX10;      // and where those end.
    Gp verdict = Gp::kX11;  // Where its verdict goes.
    Gp captured = Gp::kX12;
    std::optional<Gp> ahead = Gp::kX13;   // How far ahead to prefetch. None: in the frame,
    std::optional<Gp> common = Gp::kX14;  // and so is the batch's context.
    std::optional<Gp> failed = Gp::kX15;  // Of a straight line; none: there are no lines.
  };
  // A number that is in a register throughout.
  struct KnownNumber {
    std::uint32_t value = 0;
    Gp reg = Gp::kZero;
  };

  PacketLoop(const CompileInput& input, const ebpf::PacketProgram& form);

  // `wanted`: numbers that take an instruction or two to make, those that are worth most first;
  // where registers are left they are made once.
  void choose_registers(std::span<const std::uint32_t> wanted);
  void begin();
  void end();
  // The number in a register: its own, or moved into `scratch`. Flags stay.
  Gp in_register(std::uint32_t number, Gp scratch);
  bool is_in_register(std::uint32_t number) const;
  // A field of the packet in hand.
  Mem packet_field(std::size_t offset) const;
  void end_with(std::uint32_t verdict);
  void end_with(Gp verdict);
  // The batch's context in a register: its own, or loaded into `scratch`.
  Gp common(Gp scratch);

  const CompileInput& input_;
  const ebpf::PacketProgram& form_;
  const std::vector<ebpf::PacketOp>& ops_;
  Registers at_;
  std::vector<KnownNumber> known_;
  std::int32_t stack_bytes_ = 0;
  Assembler a_;

 private:
  static constexpr std::int32_t kAheadSlot = 0;
  static constexpr std::int32_t kCommonSlot = 8;

  bool uses_captured() const;
  // The lines of a later packet from which the program reads: that of the first byte it surely
  // reads, and that of the last, or the next where it reads at offsets it computes. Bytes that lie
  // near are nearly always on one line.
  void prefetch();
  void go_to_next_packet();

  std::vector<Gp> saved_;    // In the order they are pushed.
  std::int32_t locals_ = 0;  // Bytes at the frame's bottom; the program's stack is above.
  std::int32_t frame_ = 0;
  Label next_;
  Label leave_;
  Label done_;
  int ends_ = 0;
  bool shared_end_ = false;
};

}  // namespace weir::jit::aarch64
