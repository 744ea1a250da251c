// The loop around a packet form's code: its registers, its frame, the way from a packet to the
// next.
//
// r12 counts from minus four times the number of packets up to 0: a verdict's place is the end of
// the verdicts + r12, a packet's UserPacket the end of the packets + 4 * r12. r9 is where the
// packet starts. What else the loop needs is in registers the program leaves alone, or in the frame
// when it leaves none: the end of the packets, the end of the verdicts, the end of the packets +
// how far ahead to prefetch. r10 and r11 are free inside of an operation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "translator/jit/compile.h"
#include "translator/jit/x86/assembler.h"
#include "translator/userspace/packet_program.h"

namespace weir::jit {

class PacketLoop {
 protected:
  using Gp = x86::Gp;
  using Label = x86::Label;
  using Mem = x86::Mem;

  static constexpr Gp kCount = Gp::kR12;
  static constexpr Gp kStart = Gp::kR9;

  // A value of the loop: in a register, or in the frame.
  struct Place {
    std::optional<Gp> reg;
    std::int32_t slot = 0;
  };
  // A verdict that is in a register throughout, to be chosen.
  struct KnownVerdict {
    std::uint32_t value = 0;
    Gp reg = Gp::kRax;
  };

  PacketLoop(const CompileInput& input, const ebpf::PacketProgram& form);

  void choose_registers();
  bool knows(std::uint32_t verdict) const;
  bool program_uses(Gp reg) const;
  Mem slot(const Place& place) const;
  // The value in a register: its own, or loaded into `scratch`.
  Gp in_register(const Place& place, Gp scratch);
  void set(const Place& place, Gp value);
  // A field of the packet in hand. May take r11.
  Mem packet_field(std::int32_t offset);
  void begin();
  // The lines of a later packet from which the program reads: that of the first byte it surely
  // reads, and that of the last, or the next where it reads at offsets it computes. Bytes that lie
  // near are nearly always on one line.
  void prefetch();
  void end();
  Mem verdict_place();
  void go_to_next_packet();
  void end_with(std::uint32_t verdict);
  void end_with(Gp verdict);

  const CompileInput& input_;
  const ebpf::PacketProgram& form_;
  const std::vector<ebpf::PacketOp>& ops_;
  std::int32_t stack_bytes_ = 0;
  x86::Assembler a_;
  Place packets_;
  Place verdicts_;
  Place ahead_;
  Place common_;
  std::optional<Gp> failed_;  // Of a straight line; none: there are no lines.
  std::vector<KnownVerdict> known_verdicts_;
  std::vector<Gp> saved_;    // In the order they are pushed.
  std::int32_t locals_ = 0;  // Bytes at the frame's bottom; the program's stack is above.
  std::int32_t frame_ = 0;
  Label next_;
  Label leave_;
  Label done_;
  int ends_ = 0;
  bool shared_end_ = false;
};

}  // namespace weir::jit
