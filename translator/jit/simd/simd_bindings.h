// What the registers hold on the way to an operation of a packet form, for all packets of a group.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "translator/ebpf/instruction.h"
#include "translator/jit/simd/simd_values.h"
#include "translator/userspace/packet_program.h"

namespace weir::jit {

// How far behind the packet's start a lane can point.
inline constexpr std::int64_t kMostOffset = 0x7fffffff;

struct Binding {
  enum class Kind : std::uint8_t {
    kUnknown,  // Nobody may read it.
    kNumber,   // Of 64 bits, the upper half 0: the value.
    kPointer,  // The packet's start + the value + offset.
  };
  Kind kind = Kind::kUnknown;
  SimdId value = 0;
  std::int64_t offset = 0;
  std::int64_t least = 0;  // Of value + offset of a pointer, and the most.
  std::int64_t most = 0;
  bool operator==(const Binding&) const = default;
};
using Bindings = std::array<Binding, 11>;

inline Binding number(SimdId value) { return {.kind = Binding::Kind::kNumber, .value = value}; }
inline Binding pointer(SimdId value, std::int64_t offset, std::int64_t least, std::int64_t most) {
  return {.kind = Binding::Kind::kPointer,
          .value = value,
          .offset = offset,
          .least = least,
          .most = most};
}

class SimdBindings {
 public:
  // Makes values among these.
  explicit SimdBindings(SimdValues& values) : v_(values) {}

  Binding& operator[](ebpf::Reg reg) { return bound_[static_cast<std::size_t>(reg)]; }
  bool is_number(ebpf::Reg reg) { return (*this)[reg].kind == Binding::Kind::kNumber; }
  const Bindings& all() const { return bound_; }
  void set_all(const Bindings& bindings) { bound_ = bindings; }
  // Where a packet of the mask comes from elsewhere, what its registers held there.
  void join(SimdId mask, const Bindings& elsewhere);

  // A register or constant as a number; nothing when it is a pointer or, in 64 bits, below 0.
  std::optional<SimdId> operand(const ebpf::Operand& source, bool is64);
  // The address of an operation; kUnknown when it is none in the packet.
  Binding address(const ebpf::PacketOp& op);
  // Whether the pointer's distance is one that a lane can hold.
  bool usable(const Binding& binding) const;
  // A pointer's value + offset. What does not fit is cut off; nobody uses it then (usable()).
  SimdId whole(const Binding& binding);
  Binding moved_by_number(const Binding& to, SimdId by);

  // Does an instruction that is no load, jump or exit; false: it is none that fits. A register
  // whose new value does not fit becomes kUnknown.
  bool run(const ebpf::Instruction& instruction);

 private:
  Binding join(SimdId mask, const Binding& one, const Binding& other);
  Binding after_narrow(const ebpf::Alu& alu);
  Binding after_wide(const ebpf::Alu& alu);
  Binding computed(ebpf::AluOp op, SimdId dst, SimdId src);
  std::optional<Binding> moved_pointer(const ebpf::Alu& alu);
  bool fits_narrow(ebpf::AluOp op, SimdId dst, SimdId src) const;
  Binding after(const ebpf::Endian& endian);

  SimdValues& v_;
  Bindings bound_;
};

}  // namespace weir::jit
