// A program of packets as the machines of user space run it: what bounds_analysis.h knows is used,
// so that the context and the checks of packet pointers are gone.
//
// The program is given where the packet starts and how many bytes were captured. Loads at a
// constant offset name it, tests of loaded bytes are one operation, a compare of a pointer with the
// packet's end is one of the captured length with a number, and an exit whose verdict is known is a
// verdict. What nobody reads is not computed. tests/translator/ebpf holds the form's pieces against
// listings; the judges hold the machines that run it against the others. Price: a few passes, O(n).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "translator/ebpf/program.h"
#include "translator/userspace/bounds_analysis.h"

namespace weir::ebpf {

enum class PacketOpKind : std::uint8_t {
  kPlain,    // The instruction `index` as it stands; no load, jump or exit among them.
  kPoint,    // dst = address.
  kHeader,   // dst = address + ((bytes at start + value) & mask) << shift: behind a header whose
             // length is in it.
  kEnd,      // dst = where the captured bytes end.
  kField,    // dst = 4 bytes of the context at `offset`: the length, or an ancillary value.
  kLoad,     // dst = bytes at the address.
  kTest,     // if (bytes at the address & mask) op value: goto target. Of at most 4 bytes.
  kCompare,  // The conditional jump `index`, on registers: to target.
  kFewer,    // if captured < value: goto target.
  kEnough,   // if captured >= value: goto target.
  kPast,     // if base op where the captured bytes end: goto target; op is kEq, kNe or an order
             // without sign. Whether bytes before base are there is known by it.
  kGo,       // goto target.
  kVerdict,  // The end; the verdict is value.
  kReturn,   // The end; the verdict is the low half of r0.
};

struct PacketOp {
  PacketOpKind kind = PacketOpKind::kPlain;
  // The address: the packet's start, a register, or both, and offset. An access is inside the
  // packet, the program's data or its stack.
  bool from_start = false;
  std::optional<Reg> base;
  std::int32_t offset = 0;

  Width width = Width::kB;
  bool sign_extend = false;  // kLoad; to 64 bits.
  bool swapped = false;      // kLoad: of 2 or 4 bytes, the first is the highest.
  Reg dst = Reg::kR0;
  JumpOp op = JumpOp::kJa;
  std::uint32_t mask = 0xffffffff;
  std::uint8_t shift = 0;  // At most 3.
  std::uint32_t value = 0;
  std::uint32_t target = 0;  // An operation behind this one.
  std::uint32_t index = 0;   // The instruction it comes from.
  bool is_target = false;    // Of some other's jump.
};

struct PacketProgram {
  std::vector<PacketOp> ops;      // The last one is an end or a kGo.
  std::uint16_t used = 0;         // Registers (bit n: rn) that some operation reads or writes.
  std::uint16_t zeroed = 0;       // Those that have to start at 0.
  bool stack_zeroed = false;      // Whether the stack has to.
  bool calls = false;             // Whether there are calls of helpers.
  std::int32_t first_byte = 0;    // The least and, behind it, the greatest byte of the packet that
  std::int32_t behind_bytes = 0;  // is read at a constant offset. Equal: none.
  bool reads_elsewhere = false;   // Whether others are read.
};

// What an operation does with registers (bit n: rn); a pure one does nothing else.
struct PacketEffect {
  std::uint16_t reads = 0;
  std::uint16_t writes = 0;
  bool pure = false;
};
PacketEffect effect_of(const PacketOp& op, std::span<const Instruction> instructions);

// Nothing when the proof is not enough: something is not proven, the context's address is used for
// more than loads, there are ways back, local calls or legacy loads.
std::optional<PacketProgram> packet_program(const Program& program, const AccessProof& proof);

// A listing for tests and people, a line an operation.
std::string print(const PacketProgram& form, const Program& program);

}  // namespace weir::ebpf
